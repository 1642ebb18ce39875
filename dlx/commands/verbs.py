"""The verbs of `dlx`, each a module beside this one, with what it does."""

VERBS = {
    "train": "train one run, or a grid of them",
    "status": "show the state of every run of a study",
    "list": "list the studies, with the best setting of each",
    "report": "compare the runs of a study: a table, plots and one HTML page",
    "diff": "show how two runs, settings or studies differ",
    "evaluate": "score chosen runs on held-out data, and count the looks",
    "grade": "grade the runs of students by those of a reference",
    "reproduce": "rerun published experiments and check their figures",
    "check": "compare a model's gradients with finite differences",
    "data": "list the data sets, show one, or fetch it ahead of time",
    "init": "write a small project of your own that trains at once",
    "doctor": "check the installation: versions, devices, caches, data",
    "completion": "print a script that completes words in bash, zsh or fish",
}
# What people type who know other programs, and the verb that does it.
MEANT = {"compare": "report", "plot": "report", "show": "report", "summary": "report", "export": "report"}
MEANT |= {"run": "train", "fit": "train", "sweep": "train", "resume": "train", "continue": "train"}
MEANT |= {"eval": "evaluate", "test": "evaluate", "score": "evaluate", "ls": "list", "new": "init"}
DELETES = ("delete", "remove", "rm", "clean")
