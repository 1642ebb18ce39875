"""The requests whose results must stay the same, as commands of `dlx`, run in one folder in the given order.

Every command names its engine and, where runs are stacked, the width of a cohort: what `engine=auto` would
measure differs from one machine to the next, and the bits of a stacked run depend on its cohort.
"""

SMALL = "data.train_size=120 data.val_size=60 data.test_size=60"
LOOP = "device=cpu threads=1 engine=loop"
STACKED = "device=cpu threads=1 engine=stacked"
PROBES = (
    "probes.layers=true probes.gradients=true probes.steps=true probes.classes=true probes.logits=[1,2] "
    "probes.train_samples=50 probes.images=4"
)
OPTIMIZERS = (
    f"name=optimizers 'optimizer=glob(*)' seed=0,1 epochs=3 {SMALL} model.sizes=[16,8] model.dropout=0.2 "
    "augment.shift=1 augment.noise=0.1"
)
SCHEDULES = (
    "'optimizer=choice(adam,muon)' schedule=constant,cosine,one_cycle,step,exponential schedule.warmup=1"
)
FULLY_CONNECTED = (
    f"name=models model=mlp,mlp_bn,mlp_ln,linear epochs=4 {SMALL} {PROBES} augment.shift=1 schedule=one_cycle"
)
IMAGE_MODELS = (
    "name=images model=cnn,convnet,lenet,resnet epochs=2 batch_size=24 optimizer.lr=0.003 data=image_folder "
    "data.root=pictures data.val_size=24 data.test_size=24"
)
LOSSES = (
    "name=losses data=digits_binary loss=cross_entropy,binary_cross_entropy,mean_squared_error "
    "loss.reduction=mean,sum data.train_size=100 epochs=3 optimizer=sgd optimizer.lr=0.01"
)
ARRAYS = "name=own data=npz data.path=arrays.npz data.root=. data.test_size=40"
DIVERGING = "loss=mean_squared_error optimizer=sgd optimizer.lr=0.1,1e9"
CUSTOM = "model=custom model.target=mynet:Net +model.hidden=4,8"
CROSSED = f"name=crossed sweep=[seeds,dropout] data=blobs epochs=11 {STACKED} engine.width=2"
ROSENBROCK = "data=surface loss.function=rosenbrock model.start=[-1.5,2] optimizer.lr=0.1 epochs=40"
LAYERS = f"{LOOP} data.train_size=100 epochs=3"

REQUESTS = {
    "optimizers_loop": [
        f"train {OPTIMIZERS} {LOOP}",
        "report outputs/optimizers",
    ],
    "optimizers_stacked": [
        f"train {OPTIMIZERS} {STACKED} engine.width=12",
        "report outputs/optimizers --baseline optimizer=sgd --metric val_loss --margin 0.02",
    ],
    "schedules": [
        f"train name=stacked {SCHEDULES} {SMALL} 'seed=range(2)' epochs=4 {STACKED} engine.width=10",
        f"train name=alone schedule=step schedule.every=2 optimizer=adamw epochs=5 {SMALL} {LOOP}",
        "report outputs/stacked",
    ],
    "fully_connected_loop": [
        f"train {FULLY_CONNECTED} keep=best early_stopping.patience=1 {LOOP}",
        "evaluate outputs/models",
        "evaluate outputs/models --all --split val",
        "report outputs/models",
    ],
    "fully_connected_stacked": [
        f"train {FULLY_CONNECTED} seeds.init=0,1 seeds.order=2,3 keep=last {STACKED} engine.width=4",
        "evaluate outputs/models",
        "report outputs/models",
    ],
    "images_loop": [
        f"train {IMAGE_MODELS} augment=standard augment.cutout=3 {PROBES} {LOOP}",
        "report outputs/images",
    ],
    "images_stacked": [
        f"train {IMAGE_MODELS} seed=0,1 data.size=12 augment=flip {STACKED} engine.width=2",
        "report outputs/images",
    ],
    "losses": [
        f"train {LOSSES} {STACKED} engine.width=3",
        "report outputs/losses --by loss",
        f"train name=smoothed loss.label_smoothing=0,0.1 monitor=val_loss {SMALL} epochs=3 {LOOP}",
        "report outputs/smoothed",
    ],
    "diverged": [
        f"train name=diverged {SMALL} {DIVERGING} epochs=12 {LOOP}",
        "report outputs/diverged",
    ],
    "own_module": [
        f"train {ARRAYS} {CUSTOM} dtype=float64 keep=best epochs=3 {LOOP}",
        f"train {ARRAYS} model=mine epochs=2 {LOOP}",
        "evaluate outputs/own",
        "report outputs/own",
    ],
    "presets": [
        f"train sweep=width data=spirals model.width=4,16,64 seed=0,1,2 epochs=12 {STACKED} engine.width=3",
        "report outputs/width?spirals",
        f"train {CROSSED} seed=0,1",
        f"train {CROSSED} seed=0,1,2",
        "report outputs/crossed",
    ],
    "surfaces": [
        f"train sweep=surface_step_size {LOOP}",
        "report outputs/surface_step_size",
        f"train sweep=surface_decay {LOOP}",
        "report outputs/surface_decay",
        f"train name=rosenbrock {ROSENBROCK} optimizer=adam,rmsprop,muon {LOOP}",
    ],
    "claims": [
        "reproduce B1",
        f"reproduce B4 --seeds 2 {LAYERS}",
        "report outputs/digits?layers",
        f"train sweep=digits_layers seed=0,1 name=cases {LAYERS}",
    ],
    "without_training": [
        "check model=mlp model.norm=batch model.dropout=0.3 loss=mean_squared_error",
        "train --cfg job model=resnet sweep=learning_rate",
        "train --help",
        "train model.norm=bacth",
        "report nowhere",
        "reproduce --list",
    ],
}
