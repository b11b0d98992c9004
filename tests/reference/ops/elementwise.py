"""Derivatives of lgamma by mpmath: PyTorch 1.13 has the second one to nine digits only."""
import mpmath
import torch


class Polygamma(torch.autograd.Function):
    """The derivative of order n of digamma, of every order."""

    @staticmethod
    def forward(ctx, x, n):
        ctx.n = n
        ctx.save_for_backward(x)
        values = [float(mpmath.psi(n, v)) for v in x.detach().reshape(-1).tolist()]
        return torch.tensor(values, dtype=x.dtype).reshape(x.shape)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * polygamma(x, ctx.n + 1), None


class Lgamma(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.lgamma(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * polygamma(x, 0)


def polygamma(x, n):
    return Polygamma.apply(x, n)


def lgamma(x):
    return Lgamma.apply(x)
