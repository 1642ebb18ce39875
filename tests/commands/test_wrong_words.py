"""Every wrong word of every verb is answered in one line, with exit code 2, before anything is written."""

import argparse
import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from dlx.cli import VERBS, main
from dlx.commands.parser import any_path

MINE = """
claim: mine
source: here
overrides: [data.train_size=100]
figures: [{metric: val_accuracy, value: 0.5}]
"""
LONG = 300  # characters, for the rows with a word of that length; a file's name has at most 255
QUICK = "data.train_size=100 data.val_size=50 batch_size=25 epochs=2"

CASES = r"""
frobnicate                    | there is no verb 'frobnicate' (allowed: train, status, list, report,
trian epochs=3                | there is no verb 'trian'; did you mean 'train'?
compare outputs/a             | there is no verb 'compare'; did you mean 'report'?
rm outputs/a                  | to delete a study or a run, delete its folder
train --epochs 5              | there is no flag --epochs; keys have no dashes: epochs=VALUE (
train model mlp               | 'model' is not of the form KEY=VALUE; write = between the two, without spaces
train seed=0-4                | for several, write seed=0,1,2 or 'seed=range(3)'
--verison                     | there is no flag --verison; did you mean '--version'?
-x                            | there is no flag -x (allowed: --help, --version)
--version=3                   | --version takes no value, but was given '3'
--help=3                      | --help takes no value, but was given '3'
version 3                     | there is one word too many: '3'
help trian                    | there is no verb 'trian'; did you mean 'train'?

train --cfg foo               | --cfg: 'foo' is not one of job, hydra, all
train --cfg job --info        | --cfg and --info cannot be combined
train --cfg job --package no  | --package no: the configuration has no such part
train --cfg job --package [   | --package: '[' is not a key such as model or model.width
train --resolve               | --resolve says how --cfg prints; add --cfg job
train --package model         | --package says how --cfg prints; add --cfg job
train --config-dir nowhere    | --config-dir: there is no folder 'nowhere'
train --config-name nothing   | nothing
train --config-path conf      | there is no flag --config-path; did you mean '--config-
train --hydra-help            | there is no flag --hydra-help
train -i=model                | --info: 'model' is not one of all, config, defaults,
train epoch=3                 | epoch: there is no such key; did you mean 'epochs'?
train epoch=3 seed=0,1        | epoch: there is no such key; did you mean 'epochs'?
train optimzer.lr=1           | optimzer: there is no such key; did you mean 'optimizer'?
train optimizer.lrr=1         | optimizer.lrr: there is no such key; did you mean 'lr'?
train optimizer=sgd optimizer.momentun=1 | did you mean 'momentum'?
train optimizer.lr.x=1        | optimizer.lr: holds a value, it has no key 'x'
train launcher=slurm launcher.parameters.qos=us | launcher.parameters: has no key 'qos' yet; to add it, write
train optimizer=adm           | optimizer: there is no 'adm'; did you mean 'adam'?
train sweep=learning_rates    | did you mean 'learning_rate'?
train epochs                  | 'epochs' is not of the form KEY=VALUE
train model.sizes=[1          | 'model.sizes=[1' is not of the form KEY=VALUE
train epochs=                 | epochs='': must be a whole number
train epochs=1,               | 'epochs=1,' ends with a comma
train ~nosuch                 | nosuch
train model@x=mlp             | model
train name=${nam}             | nam
train model=null              | model: there is no 'null'
train model=mynet:Net         | for your own: model.target=mynet:Net
train loss=mynet.py:focal     | for your own: loss.target=mynet:focal
train data=/                  | to read /: data=image_folder data.path=/
train model.target=mynet.Net  | package.module:Name, for example mynet:Net
train model.target=nets/mynet.py | package.module:Name, for example nets.mynet:Name
train model.target=nets/mynet.py:Net | package.module:Name, for example nets.mynet:Net
train =3                      | '=3' has no key; write KEY=VALUE
train lr=0.1                  | lr: there is no such key; did you mean 'optimizer.lr'?
train launcher=jolib          | launcher: there is no 'jolib'; did you mean 'joblib'?
train launcher.processes=0    | launcher.processes=0: must be 1 or more
train launcher.memory=0       | launcher.memory=0: must be more than 0
train launcher.processes=1,2  | launcher.processes=1,2: a request has one launcher.processes
train hydra/launcher=joblib   | launcher=local or launcher=joblib
train hydra.launcher.processes=2 | launcher.processes=2, launcher=joblib
train hydra.run.dir=here      | output_root=DIR name=STUDY
train hydra.job.chdir=true    | dlx does not use this setting of Hydra's
train seed=range(5,1)         | seed=range(5,1): there is no such value
train model=glob(x*)          | model=glob(x*): there is no such value
train optimizer.lr=interval(0,1) | a grid needs single values
train seed=1,2 seed=3         | seed=1,2: seed is given twice
train +engine.width=2         | engine.width=2: only a stack has a width: engine=stacked

train ''                      | '' is not of the form KEY=VALUE
train a=b=c                   | 'a=b=c' is not of the form KEY=VALUE
train seed==3                 | 'seed==3' is not of the form KEY=VALUE
train 'seed = 3'              | 'seed = 3' is not of the form KEY=VALUE
train 'seed=3 epochs=2'       | 'seed=3 epochs=2' is not of the form KEY=VALUE
train seed:1                  | 'seed:1' is not of the form KEY=VALUE
train seed 3                  | 'seed' is not of the form KEY=VALUE
train seed=,1                 | 'seed=,1' is not of the form KEY=VALUE
train seed=1,,2               | 'seed=1,,2' is not of the form KEY=VALUE
train 'seed=(1)'              | two pairs of quotes, as in 'KEY="a (b)"'
train 'seed=${'               | 'seed=${' is not of the form KEY=VALUE
train 'name=$(id)'            | name='$(id)': a study's name is one folder
train model.=3                | 'model.=3' is not of the form KEY=VALUE
train 'model.width[0]=3'      | 'model.width[0]=3' is not of the form KEY=VALUE
train /model=mlp              | '/model=mlp' is not of the form KEY=VALUE
train seed=choice()           | 'seed=choice()' is not of the form KEY=VALUE
train 'seed=int(a)'           | 'seed=int(a)' is not of the form KEY=VALUE
train --seed 3                | there is no flag --seed
train Model=mlp               | Model: there is no such key; did you mean 'model'?
train model/width=3           | model/width: there is no such key
train train_size=3            | did you mean 'data.train_size'?
train _target_=os.system      | _target_: there is no such key
train +optimizer._target_=os.system | optimizer._target_: 'adam' takes no such setting
train optimizer.momentum=0.9  | optimizer.momentum: there is no such key (allowed with optimizer=adam:
train +optimizer.x=1          | optimizer.x: 'adam' takes no such setting
train data.nosuch=3           | data.nosuch: there is no such key (allowed with data=digits:
train augment.nosuch=1        | augment.nosuch
train +augment.nosuch=1       | augment: there is no 'nosuch'
train probes.nosuch=true      | probes.nosuch: there is no such key (allowed: classes, gradients,
train seeds.nosuch=1          | seeds.nosuch: there is no such key (allowed: augment, dropout, init, order)
train ++nosuch=3              | nosuch: there is no such key
train +nosuch=1,2             | nosuch: there is no such key [in '+nosuch=1']
train +seed=1                 | seed
train ~seed=1                 | The value of 'seed' is 0 and not 1
train ~model                  | model: needs a value
train ~epochs                 | epochs: needs a value
train ~seed                   | seeds.init: Interpolation key 'seed' not found
train ~launcher               | ~launcher: launcher cannot be removed
train ~grid                   | ~grid: grid cannot be removed
train ~cases                  | ~cases: cases cannot be removed
train model=3                 | model: there is no '3' (allowed: airbench, cnn,
train model=true              | model: there is no 'true'
train model=                  | model: there is no '' (allowed: airbench,
train model=MLP               | model: there is no 'MLP'; did you mean 'mlp'?
train model=mlp.yaml          | model: there is no 'mlp.yaml' (allowed: airbench
train model=../model/mlp      | model: there is no '../model/mlp'
train model=/etc/passwd       | model: there is no '/etc/passwd'
train model=mlp/x             | model: there is no 'mlp/x'
train model=mlp,null          | model: there is no 'null'
train model=[mlp]             | model=[mlp]: model is one choice; of several, write model=A,B
train optimizer=[adam,sgd]    | optimizer is one choice; of several, write optimizer=A,B
train data=[digits,blobs]     | data is one choice; of several, write data=A,B
train data=null               | data: there is no 'null'
train loss=mse                | loss: there is no 'mse'; did you mean 'mean_squared_error'?
train +model=cnn              | model
train model.name=cnn          | model.width: 'CNN' takes no such setting
train model.name=nosuch       | model.name: there is no 'nosuch' (allowed: airbench,
train optimizer.name=lbfgs    | optimizer.name: there is no 'lbfgs'
train model.name=null         | model.name=null: must be text
train sweep=3                 | sweep: there is no '3'
train sweep={a:1}             | sweep={a:1}: write the name of a preset
train sweep=[null]            | sweep: there is no 'null'
train sweep=[seeds,nosuch]    | sweep: there is no 'nosuch'
train sweep=null,seeds        | sweep=null,seeds: a request has one sweep
train 'sweep=glob(zz*)'       | sweep=glob(zz*): there is no such value
train 'sweep=glob(*)'         | sweep=glob(*): a request has one sweep
train 'sweep=range(1,3)'      | sweep=range(1,3): a request has one sweep
train grid=3                  | grid: 3 has no keys
train grid=1,2                | grid=1,2: a request has one grid
train grid.seed=[1,2]         | grid.seed: is for a preset's file
train 'grid={seed:[1]}'       | on the command line, give a key several values: seed=0,1,2
train +grid.seed=[]           | grid: seed has no values
train '+grid.sweep=[seeds,width]' | grid: sweep cannot be varied
train cases=3                 | cases: 3 is not a list
train '++grid=${x}'           | grid: Interpolation key 'x' not found
train 'launcher.processes=${x}' | launcher.processes: Interpolation key 'x' not found
train cases=[3]               | cases: 3 has no keys
train 'cases=[{nosuch:3}]'    | nosuch: there is no such key
train hydra.searchpath=[nowhere] | there is no folder 'nowhere'
train hydra.searchpath=[pkg://nowhere] | path=nowhere is not available
train hydra.searchpath=3      | hydra.searchpath=3: must be a list
train hydra.output_subdir=null | dlx does not use this setting of Hydra's
train hydra.sweeper.params=3  | a preset's values are its keys grid and cases
train +hydra.x=1              | dlx does not use this setting of Hydra's
train ~hydra                  | dlx does not use this setting of Hydra's

train seed=abc                | error: seed='abc': must be a whole number
train seed=null               | error: seed=null: must be a whole number
train seed=true               | error: seed=true: must be a whole number
train seed=-1                 | error: seed=-1: must be 0 or more
train seed=1.5                | error: seed=1.5: must be a whole number
train seed=1e3                | error: seed=1000.0: must be a whole number
train seed=[1,2]              | error: seed=[1,2]: must be a whole number
train 'seed={a:1}'            | error: seed={a:1}: must be a whole number
train seed=99999999999999999999 | seed=99999999999999999999: must be less than 9223372036854775808
train 'seed=${seed}'          | seed: Recursive interpolation detected
train 'name=${oc.env:NOSUCH}' | name: "Environment variable 'NOSUCH' not found"
train seed=range(1,2,0)       | a range needs finite numbers and a step other than 0
train seed=range(nan,3)       | a range needs finite numbers
train seed=range(0,inf)       | a range needs finite numbers
train seed=range(0,100000000000) | that is more than 10,000 runs
train seed=range(0,1e300)     | that is more than 10,000 runs
train seed=sort(range(0,100000000000)) | that is more than 10,000 runs
train seed=shuffle(range(0,100000000000)) | that is more than 10,000 runs
train seed=range(0,200) epochs=range(1,200) | the grid: that is more than 10,000 runs
train seed=1,2 ++seed=3       | seed=1,2: seed is given twice
train seed=3 seed=1,2         | seed=1,2: seed is given twice
train optimizer=adam,sgd optimizer=sgd | optimizer is given twice
train epochs=0                | epochs=0: must be 1 or more
train epochs=1e3              | epochs=1000.0: must be a whole number
train epochs=inf              | epochs=inf: must be a finite number
train epochs=1000000000000    | epochs=1000000000000: must be 10000000 or less
train epochs=[1]              | epochs=[1]: must be a whole number
train batch_size=0            | batch_size=0: must be 1 or more
train batch_size=all          | batch_size='all': must be a whole number
train shuffle=maybe           | shuffle='maybe': must be true or false
train drop_last=2             | drop_last=2: must be true or false
train device=gpu              | device='gpu': allowed are auto, cpu, cuda, cuda:N and mps
train device=cuda:            | device='cuda:': allowed are
train device=cuda:111111111111111111111111111111 | device='cuda:1111111111111111111111
train device=cuda:-1          | device='cuda:-1': allowed are
train device=null             | device=null: must be text
train threads=0               | threads=0: must be 1 or more
train threads=two             | threads='two': must be a whole number
train dtype=float16           | dtype='float16': must be one of float32, float64
train monitor=accuracy        | is not recorded; did you mean 'val_accuracy'?
train monitor=val_f1_macro    | is not recorded; add metrics=[f1_macro]
train metrics=[f1_marco]      | there is no such metric; did you mean 'f1_macro'?
train metrics=[rmse]          | is for regression, but this run's loss and labels make it classification
train metrics=[f1_macro,f1_macro] | two metrics are named 'f1_macro'
train metrics=[nosuch:f]      | importing 'nosuch' failed
train metrics=f1_macro        | must be a list: metrics=[f1_macro]
train loss=huber loss.delta=0 | loss.delta
train keep=true               | keep=true: must be one of auto, none, best, last
train rerun=maybe             | rerun='maybe': must be true or false
train early_stopping=3        | early_stopping=3: has keys of its own; set one of them, as in early_st
train early_stopping.patience=-1 | early_stopping.patience=-1: must be 0 or more
train early_stopping.min_delta=inf | early_stopping.min_delta=inf: must be a finite number
train probes=all              | probes='all': has keys of its own
train probes.logits=3         | probes.logits=3: must be a list, such as [1,2]
train probes.logits=[0]       | probes.logits.0=0: must be 1 or more
train probes.logits=[31]      | probes.logits=[31]: epoch 31 is after epochs=30
train probes.images=65        | probes.images=65: must be 64 or less
train seeds=null              | seeds=null: has keys of its own
train seeds.init=-1           | seeds.init=-1: must be 0 or more
train optimizer.lr=inf        | optimizer.lr=inf: must be a finite number
train optimizer.lr=1e400      | optimizer.lr=inf: must be a finite number
train optimizer.lr=nan        | optimizer.lr=nan: must be a finite number
train optimizer.lr=0.1,nan    | optimizer.lr=nan: must be a finite number [in 'lr=nan']
train optimizer.weight_decay=inf | optimizer.weight_decay=inf: must be a finite number
train optimizer.eps=inf       | optimizer.eps=inf: must be a finite number
train optimizer.betas=[nan,0.9] | optimizer.betas=nan: must be a finite number
train schedule=cosine schedule.warmup=inf | schedule.warmup=inf: must be a finite number
train schedule.warmup=30      | schedule.warmup=30: the warm-up must end before epochs=30
train loss.label_smoothing=nan | loss.label_smoothing=nan: must be a finite number
train augment.noise=inf       | augment.noise=inf: must be a finite number
train data=blobs data.noise=inf | data.noise=inf: must be a finite number
train model.dropout=nan       | model.dropout=nan: must be a finite number
train model.taper=inf         | model.taper=inf: must be a finite number
train launcher.memory=nan     | launcher.memory=nan: must be a finite number
train data.train_size=1.5     | data.train_size=1.5: must be a count, a fraction from 0 to 1, or null
train data.train_size=-1      | data.train_size=-1: must be a count, a fraction
train data.train_size=abc     | data.train_size='abc': must be a count, a fraction
train data.val_size=true      | data.val_size=true: must be a count, a fraction
train data.split_seed=-1      | data.split_seed=-1: must be 0 or more
train data.stratify=3         | data.stratify=3: must be true or false
train data.standardise=zscore | must be one of none, unit, mean_std, mean_std_by_feature, mean_image
train data.root=[a]           | data.root=['a']: must be text
train baseline=3              | baseline=3: must be text
train name=                   | name='': a study's name is one folder
train name=null               | name=null: must be text
train name=../x               | name='../x': a study's name is one folder
train name=.hidden            | name='.hidden': a study's name is one folder
train 'name=a b'              | name='a b': a study's name is one folder
train "name=it's"             | a study's name is one folder
train 'name="a\nb"'           | a study's name is one folder
train name=a:b                | name='a:b': a study's name is one folder
train name=LONG               | a study's name is one folder
train name=\u202eabc          | a study's name is one folder
train name=\udcc3\udcbcbung | is not text in the encoding utf-8
train slug=[a]                | slug=['a']: must be text
train output_root=null        | output_root=null: must be text
train output_root=mine.yaml   | output_root=mine.yaml: mine.yaml is a file, not a folder
train output_root=mine.yaml/x | output_root=mine.yaml/x: mine.yaml is a file
train output_root=/dev/null   | /dev/null is a file, not a folder
train output_root=LONG        | File name too long
train baseline=nrom=none      | baseline=nrom=none: there is no key 'nrom'; did you mean 'norm'?
train output_root=~nobody-here/x | there is no home folder for ~nobody-here
train LONG=3                  | there is no such key
train epochs=LONG             | must be a whole number
train model=LONG              | (allowed: airbench, cnn,
train 'epochs=LONG LONG'      | must be a whole number
train --config-name LONG      | file name too long
train --LONG                  | there is no flag --

train data=surface model=mlp  | model=mlp: does not go with data=surface
train data=surface model=linear | model=linear: does not go with data=surface
train data=surface loss=mean_squared_error | loss=mean_squared_error: does not go with data=surface
train loss=surface            | data=digits: does not go with loss=surface
train loss=surface monitor=val_loss model=point | data=digits: does not go with model=point
train model=point data=digits_binary | data=digits_binary: does not go with model=point
train data=surface augment.noise=-1 | augment.noise
train data=surface batch_size=2 | batch_size=2: larger than the training split of 1 samples
train data=surface monitor=val_accuracy | loss=surface has no accuracy; use monitor=val_loss
train data=surface model.start=[1] | model.start: must have at least 2 values
train data=surface model.start=[1,2,3] | model.start=[1,2,3]: must have at most 2 values
train data=surface model.start=[nan,1] | model.start=nan: must be a finite number
train data=surface loss.function=nosuch | there is no such surface
train data=surface loss.function=x+z | there is no symbol 'z'
train data=surface 'loss.function=9**9**9*x' | a part without x and y is not a finite real number
train data=surface 'loss.function=sin(x,y)' | 'sin' takes one argument, not 2
train data=surface data.train_size=3 | the data has only 1 training samples

train data=blobs data.features=1000000000 | they need about 40,000 GB of memory
train data=blobs data.features=99999999999999999999999 | of memory, but dlx uses at most 80%
train data=blobs data.samples=1000000000000 | they need about 80,000 GB
train data=blobs data.classes=1000000 | data.classes=1000000: more classes than data.samples=1000
train data=blobs data.classes=1 | data.classes=1: must be 2 or more
train data=blobs data.samples=0 | data.samples=0: must be 1 or more
train data=blobs data.noise=1e308 | the inputs are too large for float32
train data=spirals data.classes=100000000 | more classes than data.samples=1000
train data=spirals data.turns=0 | data.turns=0: must be more than 0
train batch_size=99999999999999999999 | larger than the training split of 1000 samples
train model.width=1000000000  | parameters and batches of 32, training needs about 8,000,006
train model.width=100000 model.taper=1 model.depth=3 | training needs about 321 GB of memory
train model.width=100000000000000000000 | model.width=100000000000000000000: must be 1000000000 or less
train model.width=0           | model.width=0: must be 1 or more
train model.width=1e2         | model.width=100.0: must be a whole number
train model.depth=1000000000  | model.depth=1000000000: must be 10000 or less
train model.depth=-1          | model.depth=-1: must be 0 or more
train model.taper=2           | model.taper=2: must be 1 or less
train model.sizes=[100000,100000] | training needs about 161 GB
train model.sizes=3           | model.sizes=3: must be a list
train model.sizes=[a]         | model.sizes.0='a': must be a whole number
train model.norm=bacth        | must be one of none, batch, layer; did you mean 'batch'?
train model.dropout=1         | model.dropout=1: must be less than 1
train model.bias=maybe        | model.bias='maybe': must be true or false
train model.init=normal:inf   | give the standard deviation, a number above 0
train model=cnn model.channels=[] | model.channels=[]: must not be empty
train model=cnn model.channels=[100000,100000] | training needs about 1,471 GB
train model=cnn model.convolutions=1000000 | must be 10000 or less
train model=resnet model.width=1000000 | training needs about
train model=resnet data=blobs | model.name=resnet: needs images
train model=lenet             | needs images of at least 12 x 12 pixels
train optimizer=sgd optimizer.nesterov=true | needs optimizer.momentum above 0
train optimizer=sgd optimizer.momentum=1 | optimizer.momentum=1: must be less than 1
train optimizer.betas=[0.9]   | optimizer.betas: must have at least 2 values
train optimizer.betas=0.9     | optimizer.betas=0.9: must be a list
train optimizer.eps=0         | optimizer.eps=0: must be more than 0
train optimizer=muon optimizer.ns_steps=100000000 | optimizer.ns_steps=100000000: must be less than 100
train schedule=step schedule.every=0 | schedule.every=0: must be 1 or more
train loss.label_smoothing=1  | loss.label_smoothing=1: must be less than 1
train loss.reduction=none     | loss.reduction='none': must be one of mean, sum
train augment.flip=3          | give true, false or a probability from 0 to 1
train augment.shift=100       | augment.shift=100: the images have only 8 x 8 pixels
train augment=flip data=blobs | needs images (channels, height, width)
train data.train_size=0       | leaves no sample to train on
train data.train_size=1798    | the data has only 1797 training samples
train data.val_size=0         | leaves no validation samples
train data.test_size=2000     | data.test_size=2000: the data has only
train data.name=npz           | data.path: give a file below data.root=
train data=npz data.path=nosuch.npz | data.path=nosuch.npz: there is no
train data=npz data.path=LONG | File name too long, below data.root=
train data=npz data.path=2024 data.root=. | data.path=2024: there is no
train data=npz data.root=. data.path=. | is a folder without .npy files
train data=npz data.path=/dev/zero | /dev/zero is not a file
train data=npz data.root=~nobody-here data.path=x.npz | there is no home folder for ~nobody-here
train data=image_folder data.root=nowhere | there is no
train data=image_folder data.root=. data.path=mine.yaml | is a file; image_folder needs the folder
train data=image_folder data.root=. data.size=0 | data.size
train data=image_folder data.root=. data.mode=cmyk | must be one of rgb, grey
train model=custom model.target=null | model.target=null: must be text
train model=custom model.target=nomod:Net | No module named 'nomod'
train model=custom model.target=./net.py:Net | write it as package.module:Name
train model=custom model.target=os:system | not a class or a function
train model=custom model.target=torch.nn:Linear | cannot take a batch of shape (2, 1, 8, 8)
train model=custom model.target=json:JSONDecoder | returned a JSONDecoder, not a torch.nn.Module
train model=custom model.target=torch.nn:Linear +model.outputs=3 | dlx passes this to 'custom' itself

train QUICK batch_size=500    | batch_size=500: larger than the training split of 100 samples
train QUICK drop_last=true schedule=cosine,constant schedule.warmup=0,2 | [in '
train QUICK model=mlp_bn batch_size=33 | leave a last batch of one, which BatchNorm
train QUICK data=blobs model=convnet | model
train QUICK model=custom model.target=math:sqrt | model
train QUICK optimizer.lr=-1   | optimizer.lr=-1: must be 0 or more
train QUICK model.width=wide  | model.width='wide': must be a whole number
train QUICK model.activation=rleu | did you mean 'relu'?
train QUICK model.init=kaiming | model.init
train QUICK augment.flip=2    | augment.flip
train QUICK data.train_size=5000 | data.train_size=5000
train QUICK data.train_size=1.5 | error: data.train_size=1.5:
train QUICK data=fashion_mnist data.root=nowhere | nowhere
train QUICK engine.name=stacks | must be one of auto, loop, stacked; did you mean 'stacked'?
train QUICK device=cuda:99    | device=cuda:99
train QUICK schedule=cosine schedule.warmup=2  | the warm-up must end before epochs=2
train QUICK schedule=cosine schedule.warmup=30 | error: schedule.warmup=30: the warm-up
train QUICK sweep=seeds,width | sweep=[seeds,width]
train QUICK output_root=      | output_root
train QUICK threads=100000    | threads=100000
train QUICK model=mlp,linear model.width=3 | model.width

report --frobnicate           | there is no flag --frobnicate (allowed: --help, --watch,
report STUDY --metric val_acuracy | no run has recorded 'val_acuracy'; did you mean 'val_accuracy'?
report STUDY --by optimizer.lrr | lrr
report STUDY --baseline lr=7  | --baseline: no setting is 'lr=7'
report STUDY --by lr --tune lrr | lrr
report STUDY --baseline lrr=7 | --baseline
report STUDY --output mine.yaml | --output: 'mine.yaml' is a file, not a folder
report --margin 0             | --margin: '0' is not a number above 0
report --margin=-1            | --margin: '-1' is not a number above 0
report --margin nan           | --margin: 'nan' is not a number above 0
report --margin inf           | --margin: 'inf' is not a number above 0
report --margin wide          | --margin: 'wide' is not a number above 0
report --watch=often          | --watch: 'often' is not a number between 0 and 1e+06
report --watch 0              | --watch: '0' is not a number between 0 and 1e+06
report --watch=-1             | --watch: '-1' is not a number between 0 and 1e+06
report --watch nowhere        | there is no folder 'nowhere'
report                        | there is no run under outputs/
report nowhere                | there is no folder 'nowhere'
report mine.yaml              | there is no run in mine.yaml
report STUDY --setting lr     | --setting, --seed, --run and --epoch are for runs of other programs
report runs.csv --setting lrr | --setting: runs.csv has no column 'lrr'; did you mean 'lr'?
report runs.csv --seed sed    | --seed: runs.csv has no column 'sed'; did you mean 'seed'?
report runs.csv --run lrr     | --run: runs.csv has no column 'lrr'
report runs.csv --epoch lrr   | --epoch: runs.csv has no column 'lrr'
report runs.csv --metric lrr  | --metric: runs.csv has no column 'lrr'
report runs.csv --columns lrr | --columns: the table has no column 'lrr' (columns: setting, runs, accuracy)
report runs.csv --export pdf  | 'pdf' is not one of csv, docx, xlsx, tensorboard, mlflow, wandb
report .                      | there is no run in .

evaluate                      | DIR is missing
evaluate nowhere              | there is no folder 'nowhere'
evaluate .                    | holds no completed run
evaluate . --split best       | --split: 'best' is not one of test, val, train
evaluate . --split tset       | --split: 'tset' is not one of test, val, train; did you mean 'test'?
evaluate . --target mynet        | --target: 'mynet' is not MODULE:NAME
evaluate STUDY                | no run has a checkpoint, because of keep=none; train again with keep=last
evaluate STUDY --all          | has no checkpoint, because of keep=none; train again with keep=last

reproduce                     | name a claim by its name, id or file, or all
reproduce A22                 | there is no claim 'A22'; did you mean 'A2'?
reproduce digits_layer        | there is no claim 'digits_layer'; did you mean 'digits_layers'?
reproduce A3                  | to run the experiment itself: dlx train sweep=fashion_batch_size
reproduce none.yaml           | none.yaml: cannot be read
reproduce mine.yaml seed=3    | seed=3: 'seed' cannot be set here: use --seeds K
reproduce mine.yaml name=x    | name=x: 'name' cannot be set here
reproduce mine.yaml epoch=3   | epoch: there is no such key; did you mean 'epochs'?
reproduce mine.yaml epochs=0  | epochs=0
reproduce mine.yaml optimizer.lr=1,2 | name more keys, or use pick: best
reproduce mine.yaml none.yaml | none.yaml: cannot be read
reproduce mine.yaml --output mine.yaml | --output: 'mine.yaml' is a file, not a folder
reproduce mine.yaml --seeds 0 | --seeds: '0' is not a whole number of 1 or more
reproduce mine.yaml --seeds 100000000000 | --seeds: '100000000000' is more than 1000
reproduce mine.yaml --seeds x | --seeds: 'x' is not a whole number of 1 or more

check optimzer.lr=1           | optimzer: there is no such key; did you mean 'optimizer'?
check model=cn                | model: there is no 'cn'; did you mean 'cnn'?
check epochs                  | 'epochs' is not of the form KEY=VALUE
check name=${nam}             | nam
check model=null              | model: there is no 'null'
check model=mlp,cnn           | model=mlp,cnn: that is 2 runs; this command takes one
check sweep=width             | sweep=width: that is 6 runs
check --samples 0             | --samples: '0' is not a whole number of 1 or more
check --entries -1            | --entries: '-1' is not a whole number of 0 or more
check --tolerance nan         | --tolerance: 'nan' is not a number between 0 and 1
check --tolerance 1           | --tolerance: '1' is not a number between 0 and 1
check --samples 5000          | --samples 5000: the training split has only 1000
check model=mlp_bn --samples 1 | --samples 1: BatchNorm cannot normalise a batch of one
check model=lenet             | needs images of at least 12 x 12 pixels
check model=custom            | write it as package.module:Name

data                          | say what to do: list, show NAME or PATH, or prepare NAME
data lst                      | list|show|prepare: 'lst' is not one of list, show, prepare; did you mean
data list digits              | list takes no more words, but was given 'digits'
data prepare                  | prepare needs a name from `dlx data list`
data prepare fashion          | data: there is no 'fashion'; did you mean 'fashion_mnist'?
data prepare mnist,digits     | data=mnist,digits: that is 2 runs
data prepare digits data.rot=x | data.rot: there is no such key; did you mean 'root'?
data prepare digits root      | 'root' is not of the form KEY=VALUE
data show digits --sheet nowhere/x.png | --sheet nowhere/x.png: there is no folder 'nowhere'
data prepare digits --rot     | there is no flag --rot; keys have no dashes: rot=VALUE (allowed: --help, --
data prepare fashion_mnist data.root=nowhere | nowhere

report ''                     | '' is not a path
report LONG                   | cannot be a path: File name too long
report '~nobody-here/x'       | cannot be a path: Could not determine home
report --output LONG          | File name too long
report --margin 1e400         | is not a number above 0
evaluate ''                   | '' is not a path
evaluate mine.yaml            | there is no folder 'mine.yaml'
evaluate LONG                 | File name too long
reproduce ''                  | there is no claim ''
reproduce LONG                | there is no claim 'xxx
reproduce mine.yaml optimizer.lr=inf | optimizer.lr=inf: must be a finite number
reproduce mine.yaml model=nosuch | model: there is no 'nosuch'
reproduce mine.yaml --output ~nobody-here/x | cannot be a path
check seed=1,2                | seed=1,2: that is 2 runs; this command takes one
check epochs=x                | epochs='x': must be a whole number
check optimizer.lr=inf        | optimizer.lr=inf: must be a finite number
check data=surface model=mlp  | model=mlp: does not go with data=surface
check model.width=100000000   | of memory, but dlx uses at most 80%
check --samples 1e3           | --samples: '1e3' is not a whole number of 1 or more
check --samples LONG          | is not a whole number of 1 or more
check --entries 1.5           | --entries: '1.5' is not a whole number
check --tolerance 1e-400      | --tolerance: '1e-400' is not a number between 0 and 1
data prepare ''               | data: there is no ''
data prepare null             | data: there is no 'null'
data prepare [digits]         | data is one choice
data prepare digits epochs=x  | epochs='x': must be a whole number
data prepare npz              | data.path: give a file below data.root=
data prepare ../data/digits   | data: there is no '../data/digits'
data prepare blobs data.features=1000000000 | of memory
data prepare mnist data.root=mine.yaml | mine.yaml
data prepare LONG             | data: there is no 'xxx
"""


def flags_of(verb: str) -> list[argparse.Action]:
    parser = import_module(f"dlx.commands.{'train_flags' if verb == 'train' else verb}")._parser()
    return [action for action in parser._actions if action.option_strings]


def long_name(flag: argparse.Action) -> str:
    return max(flag.option_strings, key=len)


def cases_of_flags() -> Iterator[str]:
    """Yield the rows that every flag of every verb has: misspelt, without its value, with a wrong one."""
    for verb in VERBS:
        command = "evaluate ." if verb == "evaluate" else verb
        yield f"{command} -x | there is no flag -x (allowed: --"
        for flag in flags_of(verb):
            name = long_name(flag)
            yield f"{command} {name}{name[-1]} | there is no flag {name}{name[-1]}; did you mean '{name}'?"
            if flag.nargs is None:
                yield f"{command} {name} | {name} needs a value"
            if flag.nargs == 0:
                yield f"{command} {name}=mine.yaml | {name} takes no value, but was given 'mine.yaml'"
            if flag.type is any_path:
                yield f"{command} {name}=~nobody-here/x | error: {name}: "
            elif flag.type is not None:
                yield f"{command} {name}=./mine.yaml | error: {name}: "  # a file, and no name of anything


def cases() -> Iterator[object]:
    for line in [*filter(None, CASES.splitlines()), *cases_of_flags()]:
        words, said = (part.strip() for part in line.split(" | ", maxsplit=1))
        yield pytest.param(words, said, id=words)


def test_a_flag_that_takes_any_word_has_a_row_with_a_wrong_one():
    free = [(verb, long_name(f)) for verb in VERBS for f in flags_of(verb) if f.nargs is None and not f.type]
    assert free
    for verb, name in free:
        rows = [line.split() for line in CASES.splitlines() if line.startswith(f"{verb} ")]
        assert any(name in row for row in rows), f"{verb} {name}"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two short runs without a checkpoint, for the rows that say STUDY."""
    folder = tmp_path_factory.mktemp("outputs")
    words = "data.train_size=100 data.val_size=50 model.width=4 epochs=1 optimizer.lr=0.1,0.01 name=study"
    words += " keep=none"
    assert main(["train", *words.split(), f"output_root={folder}"]) == 0
    return folder / "study"


@pytest.fixture(autouse=True)
def _offline_in_a_folder_of_its_own(tmp_path, monkeypatch):
    import pooch

    def offline(*_, **__):
        raise OSError("the network is unreachable")

    monkeypatch.setattr(pooch, "retrieve", offline)
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(MINE)


@pytest.mark.parametrize(("words", "said"), list(cases()))
def test_a_wrong_word_is_answered_in_one_line_with_exit_code_2(words, said, capsys, request):
    verb = words.split()[0]
    if "STUDY" in words:
        words = words.replace("STUDY", str(request.getfixturevalue("study")))
        capsys.readouterr()
    if "runs.csv" in words:
        Path("runs.csv").write_text("lr,seed,accuracy\n0.1,0,0.5\n")
    words = words.replace("QUICK", QUICK).replace("LONG", "x" * LONG)
    words = re.sub(r"\\u([0-9a-f]{4})", lambda code: chr(int(code[1], 16)), words)
    assert main(shlex.split(words)) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.err.startswith(f"dlx {verb}: error: " if verb in VERBS else "dlx: error: ")
    assert printed.err.count("\n") == 1
    assert len(printed.err) < 700
    assert "x" * 201 not in printed.err
    assert printed.out == ""
    assert {path.name for path in Path().iterdir()} - {"runs.csv"} == {"mine.yaml"}


def test_control_characters_are_shown_as_escapes(capsys):
    assert main(["evaluate", "\x1b[2J\nnowhere"]) == 2
    assert capsys.readouterr().err == "dlx evaluate: error: there is no folder '\\x1b[2J nowhere'\n"


@pytest.mark.parametrize(
    "content", ["a: [1\n", "a: 1\na: 2\n", "a:\tb: c\n", b"a: \xff\n", "defaults: [mine]\n"]
)
@pytest.mark.parametrize("verb", ["train", "check"])
def test_a_broken_yaml_file_is_reported_in_one_line(content, verb, capsys):
    folder = Path("conf/model")
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    assert main([verb, "model=mine"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert sorted(path.name for path in Path().iterdir()) == ["conf", "mine.yaml"]
