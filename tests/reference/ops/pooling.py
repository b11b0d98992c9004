"""What pooling.txt needs beside torch: elements where the maxima of another tensor are, and averages without padding."""
import math

import torch
import torch.nn.functional as F

inf = math.inf


def places(x, kernel, stride, padding):
    return F.max_pool2d(x, kernel, stride, padding, return_indices=True)[1].flatten(2)


def pick_max(v, x, kernel, stride, padding):
    count = F.max_pool2d(x, kernel, stride, padding).shape
    return v.flatten(2).gather(2, places(x, kernel, stride, padding)).reshape(count)


def place_max(g, x, kernel, stride, padding):
    zeros = torch.zeros_like(x).flatten(2)
    return zeros.scatter_add(2, places(x, kernel, stride, padding), g.flatten(2)).reshape(x.shape)


def average(x, kernel, pads):
    """Windows one apart of a padded image, padding left out of the divisor."""
    padded, ones = F.pad(x, pads), F.pad(torch.ones_like(x), pads)
    return F.avg_pool2d(padded, kernel, 1) / F.avg_pool2d(ones, kernel, 1)
