"""What conv.txt needs beside torch: windows laid back, by F.fold, which knows no pads that differ from side to side."""
import torch.nn.functional as F


def fold(g, shape, stride=(1, 1), dilation=(1, 1), pads=((0, 0), (0, 0))):
    """(n,c,oh,ow,kh,kw) -> (n,c,h,w): each element added where the windows of an image of that shape would read it."""
    n, c, oh, ow, kh, kw = g.shape
    columns = g.permute(0, 1, 4, 5, 2, 3).reshape(n, c * kh * kw, oh * ow)
    padded = [d + before + after for d, (before, after) in zip(shape, pads)]
    whole = F.fold(columns, padded, (kh, kw), dilation=dilation, stride=stride)
    return whole[:, :, pads[0][0]:pads[0][0] + shape[0], pads[1][0]:pads[1][0] + shape[1]]
