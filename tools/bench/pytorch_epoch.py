"""So many batches of adversarial training for each line on stdin, on one thread; answers with their CPU seconds."""

import sys
import time

import numpy as np
import torch
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(0)
EPSILON = 0.3
data = np.load(sys.argv[1])
x = torch.from_numpy(data['x'][:100]).float() / 255
y = torch.from_numpy(data['y'][:100].astype(np.int64))
model = nn.Sequential(
    nn.Conv2d(1, 16, 4, stride=2, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 4, stride=2, padding=1), nn.ReLU(),
    nn.Flatten(), nn.Linear(32 * 7 * 7, 100), nn.ReLU(), nn.Linear(100, 10))
optimizer = torch.optim.Adam(model.parameters(), 1e-3)


def batch():
    delta = torch.empty_like(x).uniform_(-EPSILON, EPSILON)
    for _ in range(7):
        adversarial = (x + delta).clamp(0, 1).requires_grad_()
        gradient, = torch.autograd.grad(nn.functional.cross_entropy(model(adversarial), y), adversarial)
        delta = (adversarial.detach() - x + EPSILON / 4 * gradient.sign()).clamp(-EPSILON, EPSILON)
    loss = nn.functional.cross_entropy(model((x + delta).clamp(0, 1)), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


for _ in sys.stdin:
    start = time.process_time()
    for _ in range(int(sys.argv[2])):
        batch()
    print(time.process_time() - start, flush=True)
