/* Shape rules: a line each, an expression over leaves of given shapes, and its shape or what is wrong with it. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *formula, *given, *result;
} cases[] = {
    /* elementwise: NumPy's broadcasting, batch among it */
    {"x + y", "x=(2,3) y=(3)", "(2,3)"},
    {"x + y", "x=(2,1) y=(1,3)", "(2,3)"},
    {"x + y", "x=() y=(2,3)", "(2,3)"},
    {"x + y", "x=(0,3) y=(1,3)", "(0,3)"},
    {"x + y", "x=(batch,3) y=(3)", "(batch,3)"},
    {"x + y", "x=(batch,3) y=(1,3)", "(batch,3)"},
    {"x + y", "x=(batch,3) y=(batch,1)", "(batch,3)"},
    {"x + y", "x=(batch) y=(3,batch)", "(3,batch)"},
    {"x + y", "x=(batch,3) y=(10,3)", "shape_mismatch Add: x is (batch,3) but y is (10,3) [(batch,3), (10,3)]"},
    {"x + y", "x=(batch) y=(batch,3)", "shape_mismatch Add: x is (batch) but y is (batch,3) [(batch), (batch,3)]"},
    {"x + y", "x=(2) y=(3)", "shape_mismatch Add: x is (2) but y is (3) [(2), (3)]"},
    {"(x * 2) + Exp(y)", "x=(2) y=(3)", "shape_mismatch Add: operand 1 is (2) but operand 2 is (3) [(2), (3)]"},
    {"Where(c, x, y)", "c=(2,1) x=(3) y=()", "(2,3)"},
    {"Where(c, x, y)", "c=(1) x=(3) y=(2)", "shape_mismatch Where: x is (3) but y is (2) [(3), (2)]"},
    {"Tanh(x)", "x=(batch,3)", "(batch,3)"},
    {"Dropout(x, ratio=0.99)", "x=(3)", "(3)"},
    {"Dropout(x, ratio=1)", "x=(3)", "invalid_attribute Dropout: ratio is 1, but must be at least 0 and below 1"},
    {"Dropout(x, ratio=-0.1)", "x=(3)", "invalid_attribute Dropout: ratio is -0.1, but must be at least 0 and below 1"},
    {"Dropout(x, ordinal=-2)", "x=(3)", "invalid_attribute Dropout: ordinal is -2, but must be from -1 to 4294967295"},
    {"Clip(x, min=0)", "x=(batch,3)", "(batch,3)"},
    {"Clip(x, max=-1)", "x=(0)", "(0)"},
    {"Clip(x)", "x=(3)", "missing_attribute Clip needs min= or max="},
    {"Polygamma(x, n=1)", "x=(batch,3)", "(batch,3)"},
    {"Polygamma(x, n=0)", "x=(3)", "invalid_attribute Polygamma: n is 0, but must be from 1 to 1000"},
    {"Gelu(x, approximate=\"tanh\")", "x=(batch,3)", "(batch,3)"},
    {"Gelu(x, approximate=\"Tanh\")", "x=(3)",
     "invalid_attribute Gelu: approximate is \"Tanh\", but must be \"none\" or \"tanh\""},
    /* losses */
    {"Huber(p, y, delta=2)", "p=(batch,3) y=(batch,3)", "()"},
    {"Huber(p, y, delta=0)", "p=(3) y=(3)", "invalid_attribute Huber: delta is 0, but must be above 0"},
    {"Huber(p, y)", "p=(3) y=(3,1)", "shape_mismatch Huber: p is (3) but y is (3,1) [(3), (3,1)]"},
    {"KLDiv(logp, q)", "logp=(batch,3) q=(batch,3)", "()"},
    {"Hinge(p, y)", "p=(2) y=(1)", "shape_mismatch Hinge: p is (2) but y is (1) [(2), (1)]"},
    {"GaussianNLL(mu, y, v)", "mu=(batch,3) y=(batch,3) v=(batch,3)", "()"},
    {"GaussianNLL(mu, y, v)", "mu=(batch,3) y=(batch,3) v=(batch,1)", "()"},
    {"GaussianNLL(mu, y, v)", "mu=(batch,3) y=(batch,3) v=(batch)", "()"},
    {"GaussianNLL(mu, y, v)", "mu=() y=() v=()", "()"},
    {"GaussianNLL(mu, y, v)", "mu=(2,3) y=(2,3) v=(3)",
     "shape_mismatch GaussianNLL: mu is (2,3) but v is (3) [(2,3), (3)]"},
    {"GaussianNLL(mu, y, v)", "mu=(2,3) y=(2) v=(2,3)",
     "shape_mismatch GaussianNLL: mu is (2,3) but y is (2) [(2,3), (2)]"},
    /* products */
    {"a @ b", "a=(2,3) b=(3,4)", "(2,4)"},
    {"a @ b", "a=(3) b=(3)", "()"},
    {"a @ b", "a=(3) b=(3,4)", "(4)"},
    {"a @ b", "a=(2,3) b=(3)", "(2)"},
    {"a @ b", "a=(5,2,3) b=(3,4)", "(5,2,4)"},
    {"a @ b", "a=(5,1,2,3) b=(7,3,4)", "(5,7,2,4)"},
    {"a @ b", "a=(batch,3) b=(3,4)", "(batch,4)"},
    {"a @ b", "a=(3,batch) b=(batch,4)", "(3,4)"},
    {"a @ b", "a=(5,2,3) b=(3)", "(5,2)"},
    {"a @ b", "a=(2,3) b=(4,3)", "shape_mismatch MatMul: a is (2,3) but b is (4,3) [(3,3), (4,3)]"},
    {"a @ b", "a=(2,3) b=()",
     "shape_mismatch MatMul: b is (), but a product needs vectors or matrices; write * for scalars"},
    {"a @ b", "a=(5,2,3) b=(4,3,2)", "shape_mismatch MatMul: a is (5,2,3) but b is (4,3,2) [(5,2,3), (4,3,2)]"},
    {"Linear(X, W, b)", "X=(batch,10) W=(10,8) b=(8)", "(batch,8)"},
    {"Linear(X, W)", "X=(4,batch,10) W=(10,8)", "(4,batch,8)"},
    {"Linear(X, W)", "X=(10) W=(10,8)", "shape_mismatch Linear: X is (10), but must be (n,i): a row a sample"},
    {"Linear(X, W)", "X=(2,10) W=(10)",
     "shape_mismatch Linear: W is (10), but must be (i,o): a matrix from inputs to outputs"},
    {"Linear(X, W, b)", "X=(2,10) W=(10,8) b=(1,8)", "shape_mismatch Linear: W is (10,8) but b is (1,8) [(8), (1,8)]"},
    /* moving */
    {"Transpose(x)", "x=(2,3,batch)", "(batch,3,2)"},
    {"Transpose(x, perm=[0, -1, 1])", "x=(2,3,4)", "(2,4,3)"},
    {"Transpose(x, perm=[0, 0])", "x=(2,3)", "invalid_attribute Transpose: axis 0 is given twice"},
    {"Transpose(x, perm=[0])", "x=(2,3)", "invalid_attribute Transpose: perm has 1 axes, but 2 are there"},
    {"Transpose(x, perm=[0, 2])", "x=(2,3)", "invalid_attribute Transpose: an axis is 2, but must be from -2 to 1"},
    {"Reshape(x, shape=[3, 2])", "x=(6)", "(3,2)"},
    {"Reshape(x, shape=[-1, 2])", "x=(3,4)", "(6,2)"},
    {"Reshape(x, shape=[0, -1])", "x=(3,4,5)", "(3,20)"},
    {"Reshape(x, shape=[])", "x=(1,1)", "()"},
    {"Reshape(x, shape=1)", "x=()", "(1)"},
    {"Reshape(x, shape=[-1, 64])", "x=(batch,8,8)", "(batch,64)"},
    {"Reshape(x, shape=[0, -1])", "x=(batch,8,8)", "(batch,64)"},
    {"Reshape(x, shape=[-1, 32])", "x=(batch,8,8)", "(2*batch,32)"},
    {"Reshape(x, shape=[-1, 128])", "x=(batch,8,8)", "(?,128)"},
    {"Reshape(x, shape=[0, -1])", "x=(0,8,8)", "(0,64)"},
    {"Reshape(x, shape=[-1, 64])", "x=(0,8,8)", "(0,64)"},
    {"Reshape(x, shape=[4, -1])", "x=(6)", "shape_mismatch Reshape: x is (6), which does not fill [4,-1] [(4,?), (6)]"},
    {"Reshape(x, shape=[4])", "x=(6)", "shape_mismatch Reshape: x is (6), which does not fill [4] [(4), (6)]"},
    {"Reshape(x, shape=[4, 8])", "x=(batch,8)",
     "shape_mismatch Reshape: x is (batch,8), which does not fill [4,8] [(4,8), (batch,8)]"},
    {"Reshape(x, shape=[-1, -1])", "x=(6)", "invalid_attribute Reshape: shape has -1 twice"},
    {"Reshape(x, shape=[6, 0])", "x=(6)", "invalid_attribute Reshape: shape keeps axis 1 with 0, but there are 1 axes"},
    {"Reshape(x, shape=[-2, 3])", "x=(6)", "invalid_attribute Reshape: a dimension of shape is -2"},
    {"Reshape(x, shape=[1,1,1,1,1,1,1,1,1])", "x=()", "rank_too_large Reshape: shape has 9 dimensions, the limit is 8"},
    {"Expand(x, shape=[2, 3])", "x=(3)", "(2,3)"},
    {"Expand(x, shape=[1])", "x=(2,3)", "(2,3)"},
    {"Expand(x, shape=[3, 0])", "x=()", "(3,0)"},
    {"Expand(x, shape=[1, 4])", "x=(batch,1)", "(batch,4)"},
    {"Expand(x, shape=[2])", "x=(3)", "shape_mismatch Expand: x is (3), which does not broadcast to (2) [(2), (3)]"},
    {"Expand(x, shape=[2000000000, 2000000000])", "x=()",
     "limit_exceeded Expand: (2000000000,2000000000) has 4000000000000000000 elements, the limit is 2147483648"},
    {"Expand(x, shape=[2000000000, 2000000000, 2000000000, 2000000000])", "x=()",
     "limit_exceeded Expand: (2000000000,2000000000,2000000000,2000000000) has more than 9223372036854775807 elements, "
     "the limit is 2147483648"},
    {"Expand(x, shape=[9000000000])", "x=()",
     "limit_exceeded Expand: a dimension of 9000000000, the limit is 2147483648"},
    {"Concat(x, y, axis=0)", "x=(2,3) y=(4,3)", "(6,3)"},
    {"Concat(x, y, axis=-1)", "x=(batch,3) y=(batch,4)", "(batch,7)"},
    {"Concat(x, x, axis=0)", "x=(batch,3)", "(2*batch,3)"},
    {"Concat(x, y, axis=0)", "x=(batch,3) y=(1,3)", "(?,3)"},
    {"Concat(x, axis=0)", "x=(2)", "(2)"},
    {"Concat(x, y, axis=0) + z", "x=(batch) y=(1) z=(batch)", "(?)"}, /* with a batch of 1, z is what broadcasts */
    {"Concat(x, y, axis=0) + z", "x=(batch) y=(1) z=(7)", "(7)"},
    {"Concat(x, y, axis=0) + z", "x=(batch) y=(1) z=(1)", "(?)"},
    {"Concat(x, y, axis=0)", "x=(2,3) y=(4,5)", "shape_mismatch Concat: x is (2,3) but y is (4,5) [(4,3), (4,5)]"},
    {"Concat(x, y, axis=0)", "x=(2,3) y=(4)", "shape_mismatch Concat: x is (2,3) but y is (4) [(2,3), (4)]"},
    {"Concat(x, y, axis=2)", "x=(2,3) y=(2,3)", "invalid_attribute Concat: axis is 2, but must be from -2 to 1"},
    {"Concat(x, y, axis=0)", "x=() y=()", "invalid_attribute Concat: axis is 0, but a scalar has no axes"},
    {"Flatten(x)", "x=(batch,3,4)", "(batch,12)"},
    {"Flatten(x, axis=2)", "x=(batch,3,4)", "(3*batch,4)"},
    {"Flatten(x, axis=-3)", "x=(2,3,4)", "(1,24)"},
    {"Flatten(x, axis=3)", "x=(2,3,4)", "(24,1)"},
    {"Flatten(x, axis=0)", "x=()", "(1,1)"},
    {"Flatten(x)", "x=(5)", "(5,1)"},
    {"Flatten(x, axis=4)", "x=(2,3,4)", "invalid_attribute Flatten: axis is 4, but must be from -3 to 3"},
    {"Squeeze(x)", "x=(batch,1,3,1)", "(batch,3)"},
    {"Squeeze(x, axes=-1)", "x=(batch,1,3,1)", "(batch,1,3)"},
    {"Squeeze(x, axes=[3, 1])", "x=(1,1,3,1)", "(1,3)"},
    {"Squeeze(x, axes=0)", "x=(batch,1)",
     "shape_mismatch Squeeze: x is (batch,1), so axis 0 can't go: only an axis of 1 can"},
    {"Squeeze(x, axes=2)", "x=(1,1)", "invalid_attribute Squeeze: an axis is 2, but must be from -2 to 1"},
    {"Squeeze(x, axes=0)", "x=()", "invalid_attribute Squeeze: 1 axes are given, but there are 0"},
    {"Unsqueeze(x, axes=[0, -1])", "x=(batch,3)", "(1,batch,3,1)"},
    {"Unsqueeze(x, axes=1)", "x=(batch,3)", "(batch,1,3)"},
    {"Unsqueeze(x, axes=3)", "x=(2,3)", "invalid_attribute Unsqueeze: an axis is 3, but must be from -3 to 2"},
    {"Unsqueeze(x, axes=[0, -4])", "x=(2,3)", "invalid_attribute Unsqueeze: axis 0 is given twice"},
    {"Unsqueeze(x, axes=[0,1,2,3,4,5,6])", "x=(2,3)",
     "rank_too_large Unsqueeze: the result has 9 dimensions, the limit is 8"},
    {"Pad(x, pads=[0, 1, 0, 2])", "x=(batch,3)", "(batch,6)"},
    {"Pad(x, pads=[1, 0, 0, 0])", "x=(batch,3)", "(?,3)"},
    {"Pad(x, pads=2)", "x=(4,3)", "(8,7)"},
    {"Pad(x, pads=[-1, -3])", "x=(4)", "(0)"},
    {"Pad(x, pads=[])", "x=()", "()"},
    {"Pad(x, pads=[-1, -4])", "x=(4)", "invalid_attribute Pad: pads cut 5 off axis 0, which has 4"},
    {"Pad(x, pads=[1, 2, 3])", "x=(4,4)",
     "invalid_attribute Pad: pads has 3 entries, but must have two for each of 2 axes"},
    {"Pad(x, pads=1, value=[1, 2])", "x=(4)", "invalid_attribute Pad: value is not one number"},
    {"Pad(x, pads=9223372036854775807)", "x=(4)",
     "limit_exceeded Pad: a pad of axis 0 is beyond the limit of 2147483648"},
    {"Tile(x, repeats=[2, 1])", "x=(batch,3)", "(2*batch,3)"},
    {"Tile(x, repeats=0)", "x=(3)", "(0)"},
    {"Tile(x, repeats=[2])", "x=(2,3)", "invalid_attribute Tile: repeats has 1 entries, but there are 2 axes"},
    {"Tile(x, repeats=-1)", "x=(3)", "invalid_attribute Tile: a repeat is -1, but must be from 0 to 2147483648"},
    {"Tile(x, repeats=[2000000000, 2000000000])", "x=(1,1)",
     "limit_exceeded Tile: (2000000000,2000000000) has 4000000000000000000 elements, the limit is 2147483648"},
    {"Flip(x, axes=[-1, 0])", "x=(batch,3)", "(batch,3)"},
    {"Flip(x, axes=2)", "x=(batch,3)", "invalid_attribute Flip: an axis is 2, but must be from -2 to 1"},
    {"Flip(x)", "x=(3)", "missing_attribute Flip needs axes=, a list of integers"},
    /* Einsum */
    {"Einsum(a, b, equation=\"ij,jk->ik\")", "a=(batch,3) b=(3,4)", "(batch,4)"},
    {"Einsum(a, b, equation=\"ij,jk\")", "a=(2,3) b=(3,4)", "(2,4)"},
    {"Einsum(a, equation=\"ba\")", "a=(2,3)", "(3,2)"},
    {"Einsum(a, equation=\"bA\")", "a=(2,3)", "(3,2)"},
    {"Einsum(a, b, equation=\"...i,ij\")", "a=(batch,5,3) b=(3,4)", "(batch,5,4)"},
    {"Einsum(a, b, equation=\"...,...\")", "a=(batch,1,3) b=(7,1)", "(batch,7,3)"},
    {"Einsum(a, equation=\"ii\")", "a=(3,3)", "()"},
    {"Einsum(a, b, equation=\"ij,jk\")", "a=(2,3) b=(4,5)",
     "shape_mismatch Einsum: a is (2,3) but b is (4,5) [(3,5), (4,5)]"},
    {"Einsum(a, equation=\"ii\")", "a=(2,3)",
     "shape_mismatch Einsum: a is (2,3), but the axes of a diagonal must be equal"},
    {"Einsum(a, equation=\"ijk\")", "a=(2,3)", "invalid_attribute Einsum: term 1 names 3 axes, but its operand has 2"},
    {"Einsum(a, equation=\"i...jk\")", "a=(2,3)",
     "invalid_attribute Einsum: term 1 names 3 axes, but its operand has 2"},
    {"Einsum(a, equation=\"ij->ik\")", "a=(2,3)", "invalid_attribute Einsum: the result has 'k', which no operand has"},
    {"Einsum(a, equation=\"ij->ii\")", "a=(2,3)", "invalid_attribute Einsum: the result has 'i' twice"},
    {"Einsum(a, a, equation=\"ij\")", "a=(2,3)",
     "invalid_attribute Einsum: there are more operands than the 1 terms of the equation"},
    {"Einsum(a, equation=\"ij,jk\")", "a=(2,3)",
     "invalid_attribute Einsum: the equation has more terms than the 1 operands"},
    {"Einsum(a, equation=\"i.j\")", "a=(2,3)",
     "invalid_attribute Einsum: the equation has '.', but may have letters, commas, one -> and ..."},
    {"Einsum(a, equation=\"......\")", "a=(2,3)", "invalid_attribute Einsum: a term has ... twice"},
    {"Einsum(a, equation=\"ij->i->j\")", "a=(2,3)", "invalid_attribute Einsum: the equation goes on after its result"},
    {"Einsum(a, equation=\"abcdefghi\")", "a=(2,3)", "invalid_attribute Einsum: a term has more than 8 letters"},
    {"Einsum(a, b, equation=\"abcde,fghij\")", "a=(1,1,1,1,1) b=(1,1,1,1,1)",
     "invalid_attribute Einsum: the result has more than 8 axes"},
    {"Einsum(a, b, a, equation=\"abcde,fghij,abcde->fghij\")", "a=(1,1,1,1,1) b=(1,1,1,1,1)",
     "rank_too_large Einsum: the product of the first 2 operands has 10 dimensions, the limit is 8"},
    /* images */
    {"Conv(x, w, b)", "x=(batch,3,8,9) w=(16,3,3,2) b=(16)", "(batch,16,6,8)"},
    {"Conv(x, w)", "x=(5,3,8) w=(16,3,3)", "(5,16,6)"},
    {"Conv(x, w, strides=2, pads=1, dilations=2)", "x=(batch,1,8,9) w=(4,1,3,3)", "(batch,4,3,4)"},
    {"Conv(x, w, strides=[2,1], pads=[1,0])", "x=(batch,1,8,9) w=(4,1,3,3)", "(batch,4,4,7)"},
    {"Conv(x, w, pads=[1,2,3,4])", "x=(batch,1,8,9) w=(4,1,3,3)", "(batch,4,10,13)"},
    {"Conv(x, w, pads=[1,2])", "x=(batch,1,8) w=(4,1,3)", "(batch,4,9)"},
    {"Conv(x, w, group=2)", "x=(batch,4,8,8) w=(6,2,1,1)", "(batch,6,8,8)"},
    {"Conv(x, w)", "x=(1,1,batch) w=(1,1,3)", "(1,1,?)"},
    {"Conv(x, w)", "x=(1,1,batch) w=(1,1,1)", "(1,1,batch)"},
    {"Conv(x, w)", "x=(0,2,3,3) w=(4,2,2,2)", "(0,4,2,2)"},
    {"Conv(x, w)", "x=(2,3) w=(4,3)", "shape_mismatch Conv: x is (2,3), but must be (n,c,w) or (n,c,h,w)"},
    {"Conv(x, w)", "x=(2,3,4) w=(4,3,2,2)", "shape_mismatch Conv: w is (4,3,2,2), but must be (o,c/group,kw)"},
    {"Conv(x, w)", "x=(2,3,8,8) w=(4,2,3,3)",
     "shape_mismatch Conv: x is (2,3,8,8) but w is (4,2,3,3) [(4,3,3,3), (4,2,3,3)]"},
    {"Conv(x, w, b)", "x=(2,2,8) w=(4,2,3) b=(3)", "shape_mismatch Conv: w is (4,2,3) but b is (3) [(4), (3)]"},
    {"Conv(x, w)", "x=(2,2,8) w=(4,2,0)",
     "shape_mismatch Conv: w is (4,2,0), but its kernel must be numbers of at least 1"},
    {"Conv(x, w, group=3)", "x=(2,4,8) w=(3,1,1)",
     "invalid_attribute Conv: group is 3, which does not divide 4 channels"},
    {"Conv(x, w, group=2)", "x=(2,4,8) w=(3,2,1)",
     "invalid_attribute Conv: group is 2, which does not divide 3 filters"},
    {"Conv(x, w, group=0)", "x=(2,4,8) w=(3,2,1)", "invalid_attribute Conv: group is 0, but must be at least 1"},
    {"Conv(x, w, strides=2, pads=[1,0])", "x=(batch,1,2,2) w=(4,1,3,5)",
     "shape_mismatch Conv: a kernel of 5 (stride 2, dilation 1, pads 0 and 0) does not fit into 2 elements along "
     "spatial "
     "axis 1: x is (batch,1,2,2)"},
    {"Conv(x, w, dilations=1000000000)", "x=(1,1,8) w=(1,1,2)",
     "shape_mismatch Conv: a kernel of 2 (stride 1, dilation 1000000000, pads 0 and 0) does not fit into 8 elements "
     "along "
     "spatial axis 0: x is (1,1,8)"},
    {"Conv(x, w, pads=1000000000)", "x=(1,1,8,8) w=(1,1,2,2)",
     "limit_exceeded Conv: (1,1,2000000007,2000000007,2,2) has more than 9223372036854775807 elements, the limit is "
     "2147483648"},
    {"Conv(x, w, pads=9000000000)", "x=(1,1,8) w=(1,1,2)",
     "invalid_attribute Conv: pads has 9000000000, but must be from 0 to 2147483648"},
    {"Conv(x, w, pads=-1)", "x=(1,1,8) w=(1,1,2)",
     "invalid_attribute Conv: pads has -1, but must be from 0 to 2147483648"},
    {"Conv(x, w, pads=[1,2,3])", "x=(1,1,8,8) w=(1,1,2,2)",
     "invalid_attribute Conv: pads has 3 numbers, but must have 1, one an axis, or two an axis: 4"},
    {"Conv(x, w, strides=[1,2])", "x=(1,1,8) w=(1,1,2)",
     "invalid_attribute Conv: strides has 2 numbers, but there are 1 spatial axes"},
    {"Conv(x, w, strides=0)", "x=(1,1,8) w=(1,1,2)",
     "invalid_attribute Conv: strides has 0, but must be from 1 to 2147483648"},
    {"MaxPool(x, kernel=2)", "x=(batch,3,8,9)", "(batch,3,4,4)"},
    {"MaxPool(x, kernel=[2,3], strides=1, pads=[0,1,1,2])", "x=(batch,3,8,9)", "(batch,3,8,10)"},
    {"MaxPool(x, kernel=9223372036854775807)", "x=(batch,3,8,9)",
     "invalid_attribute MaxPool: kernel has 9223372036854775807, but must be from 1 to 2147483648"},
    {"MaxPool(x, kernel=3)", "x=(batch,3,2)",
     "shape_mismatch MaxPool: a kernel of 3 (stride 3, dilation 1, pads 0 and 0) does not fit into 2 elements along "
     "spatial axis 0: x is (batch,3,2)"},
    {"MaxPool(x, kernel=2, pads=2)", "x=(batch,3,8)",
     "invalid_attribute MaxPool: pads are 2 and 2 along spatial axis 0, but must be below the kernel, 2"},
    {"MaxPool(x, kernel=2, pads=1)", "x=(batch,3,0)",
     "shape_mismatch MaxPool: x is (batch,3,0): there is nothing to pool"},
    {"MaxPool(x, kernel=[1000000000,1000000000], pads=999999999)", "x=(1,1,1,1)",
     "limit_exceeded MaxPool: (1,1,1,1,1000000000,1000000000) has 1000000000000000000 elements, the limit is "
     "2147483648"},
    {"AveragePool(x, kernel=2, strides=1, pads=1)", "x=(batch,3,8)", "(batch,3,9)"},
    {"GlobalAveragePool(x)", "x=(batch,3,8,9)", "(batch,3,1,1)"},
    {"GlobalAveragePool(x)", "x=(batch,3,0)",
     "shape_mismatch GlobalAveragePool: x is (batch,3,0): there is nothing to pool"},
    {"PickMax(v, x, kernel=2)", "v=(batch,3,8) x=(batch,3,8)", "(batch,3,4)"},
    {"PickMax(v, x, kernel=2)", "v=(batch,3,7) x=(batch,3,8)",
     "shape_mismatch PickMax: v is (batch,3,7) but x is (batch,3,8) [(batch,3,8), (batch,3,7)]"},
    {"PlaceMax(g, x, kernel=2)", "g=(batch,3,4) x=(batch,3,8)", "(batch,3,8)"},
    {"PlaceMax(g, x, kernel=2)", "g=(batch,3,8) x=(batch,3,8)",
     "shape_mismatch PlaceMax: g is (batch,3,8) but x is (batch,3,8) [(batch,3,4), (batch,3,8)]"},
    {"Windows(x, kernel=[2,3])", "x=(batch,3,8,9)", "(batch,3,7,7,2,3)"},
    {"Windows(x, kernel=2)", "x=(batch,8)", "shape_mismatch Windows: x is (batch,8), but must be (n,c,w) or (n,c,h,w)"},
    {"FoldWindows(x, shape=[8,9])", "x=(batch,3,7,7,2,3)", "(batch,3,8,9)"},
    {"FoldWindows(x, shape=[8,8])", "x=(batch,3,7,7,2,3)",
     "shape_mismatch FoldWindows: the operand is no windows of (batch,3,8,8) [(batch,3,7,6,2,3), (batch,3,7,7,2,3)]"},
    {"FoldWindows(x, shape=8)", "x=(batch,3,7,7,2,3)",
     "invalid_attribute FoldWindows: shape has 1 dimensions, but there are 2 spatial axes"},
    /* indexing */
    {"Slice(x, starts=1, ends=3)", "x=(5)", "(2)"},
    {"Slice(x, starts=-3, ends=-1)", "x=(5)", "(2)"},
    {"Slice(x, starts=-100, ends=100)", "x=(5)", "(5)"},
    {"Slice(x, starts=3, ends=1)", "x=(5)", "(0)"},
    {"Slice(x, starts=0, ends=5, steps=2)", "x=(5)", "(3)"},
    {"Slice(x, starts=-1, ends=-100, steps=-2)", "x=(5)", "(3)"},
    {"Slice(x, starts=4, ends=0, steps=-1)", "x=(5)", "(4)"},
    {"Slice(x, starts=0, ends=4, steps=-1)", "x=(5)", "(0)"},
    {"Slice(x, starts=9, ends=-9, steps=-9223372036854775808)", "x=(5)", "(1)"},
    {"Slice(x, starts=0, ends=9, steps=-1)", "x=(0)", "(0)"},
    {"Slice(x, starts=-9, ends=-9, steps=-1)", "x=(5)", "(1)"}, /* a start is clamped to an element */
    {"Slice(x, starts=-9, ends=-9, steps=-1)", "x=(0)", "(0)"},
    {"Slice(x, starts=[0, 1], ends=[1, 3], axes=[1, 0])", "x=(4,5)", "(2,1)"},
    {"Slice(x, starts=0, ends=9223372036854775807)", "x=(batch,3)", "(batch,3)"},
    {"Slice(x, starts=-1, ends=-9223372036854775808, steps=-1)", "x=(batch,3)", "(batch,3)"},
    {"Slice(x, starts=1, ends=9223372036854775807)", "x=(batch,3)", "(?,3)"},
    {"Slice(x, starts=1, ends=2, axes=1)", "x=(batch,3)", "(batch,1)"},
    {"Slice(x, starts=0, ends=1, steps=0)", "x=(5)", "invalid_attribute Slice: a step is 0"},
    {"Slice(x, starts=[0, 0], ends=[1])", "x=(5)", "invalid_attribute Slice: starts has 2 entries but ends has 1"},
    {"Slice(x, starts=[0, 0], ends=[1, 1])", "x=(5)",
     "invalid_attribute Slice: starts has 2 entries, but there are 1 axes"},
    {"Slice(x, starts=0, ends=1, axes=[0, 1])", "x=(5,5)",
     "invalid_attribute Slice: starts has 1 entries but axes has 2"},
    {"ScatterSlice(x, shape=[5], starts=1, axes=0, steps=2)", "x=(2)", "(5)"},
    {"ScatterSlice(x, shape=[5], starts=4, axes=0, steps=-2)", "x=(3)", "(5)"},
    {"ScatterSlice(x, shape=[5], starts=4, axes=0, steps=-2)", "x=(4)",
     "invalid_attribute ScatterSlice: along axis 0 the operand does not fit into 5"},
    {"ScatterSlice(x, shape=[5, 3], starts=0, axes=0, steps=1)", "x=(2,4)",
     "shape_mismatch ScatterSlice: the operand does not fit [(2,3), (2,4)]"},
    {"Gather(x, i)", "x=(5,3) i=(2,4)", "(2,4,3)"},
    {"Gather(x, i, axis=-1)", "x=(batch,3) i=()", "(batch)"},
    {"Gather(x, i)", "x=(5,3) i=(batch)", "(batch,3)"},
    {"Gather(x, i)", "x=(5,3) i=(1,1,1,1,1,1,1,1)",
     "rank_too_large Gather: the result has 9 dimensions, the limit is 8"},
    {"ScatterAdd(g, i, axis=0, size=7)", "g=(2,4,3) i=(2,4)", "(7,3)"},
    {"ScatterAdd(g, i, axis=1, size=7)", "g=(2,3) i=()", "(2,7,3)"},
    {"ScatterAdd(g, i, axis=0, size=7)", "g=(2,3) i=(4)",
     "shape_mismatch ScatterAdd: g is (2,3) but i is (4) [(4,3), (2,3)]"},
    {"ScatterAdd(g, i, axis=0, size=-1)", "g=(2) i=(2)",
     "invalid_attribute ScatterAdd: size is -1, but must be from 0 to 2147483648"},
    {"OneHot(y, depth=10)", "y=(batch)", "(batch,10)"},
    {"OneHot(y, depth=0)", "y=(2)", "invalid_attribute OneHot: depth is 0, but must be from 1 to 2147483648"},
    {"Size(x)", "x=(batch,3)", "()"},
    /* reductions */
    {"Sum(x)", "x=(2,3)", "()"},
    {"Sum(x, axes=[])", "x=(2,3)", "(2,3)"},
    {"Sum(x, axes=[-1, 0])", "x=(2,3,4)", "(3)"},
    {"Mean(x, axes=0, keepdims=1)", "x=(batch,3)", "(1,3)"},
    {"Sum(x)", "x=(0)", "()"},
    {"Sum(x, axes=2)", "x=(2,3)", "invalid_attribute ReduceSum: an axis is 2, but must be from -2 to 1"},
    {"Sum(x, axes=[0, -2])", "x=(2,3)", "invalid_attribute ReduceSum: axis 0 is given twice"},
    {"Sum(x, axes=[0,1,0])", "x=(2,3)", "invalid_attribute ReduceSum: 3 axes are given, but there are 2"},
    {"ReduceMax(x)", "x=(0,3)", "empty_reduction ReduceMax: x is (0,3): there is nothing along axis 0"},
    {"Mean(x, axes=0)", "x=(0,3)", "empty_reduction ReduceMean: x is (0,3): there is nothing along axis 0"},
    {"ReduceMax(x, axes=1)", "x=(0,3)", "(0)"},
    {"ReduceProd(x, axes=0)", "x=(0,3)", "(3)"},
    {"ReduceMin(x, axes=0)", "x=(0,3)", "empty_reduction ReduceMin: x is (0,3): there is nothing along axis 0"},
    {"ReduceL2(x, axes=0)", "x=(0,3)", "empty_reduction ReduceL2: x is (0,3): there is nothing along axis 0"},
    {"ReduceLogSumExp(x)", "x=(0)", "empty_reduction ReduceLogSumExp: x is (0): there is nothing along axis 0"},
    {"ReduceProd(x, axes=-1, keepdims=1)", "x=(batch,3)", "(batch,1)"},
    {"CumSum(x, axis=-1)", "x=(batch,3)", "(batch,3)"},
    {"CumSum(x, axis=0)", "x=()", "invalid_attribute CumSum: axis is 0, but a scalar has no axes"},
    {"CumSum(x)", "x=(3)", "missing_attribute CumSum needs axis=, an integer"},
    {"ArgMax(x, axis=1)", "x=(batch,3)", "(batch)"},
    {"ArgMax(x, axis=-2, keepdims=1)", "x=(batch,4,3)", "(batch,1,3)"},
    {"ArgMax(x, axis=1)", "x=(2,0)", "empty_reduction ArgMax: x is (2,0): there is nothing along axis 1"},
    {"LayerNormalization(x)", "x=(batch,3)", "(batch,3)"},
    {"LayerNormalization(x, s, b, axis=1)", "x=(batch,3,4) s=(3,4) b=(4)", "(batch,3,4)"},
    {"LayerNormalization(x, s)", "x=(batch,3) s=(4)",
     "shape_mismatch LayerNormalization: x is (batch,3) but s is (4) [(3), (4)]"},
    {"LayerNormalization(x, s)", "x=(batch,1) s=(4)",
     "shape_mismatch LayerNormalization: x is (batch,1) but s is (4) [(1), (4)]"},
    {"LayerNormalization(x, epsilon=-1)", "x=(2)",
     "invalid_attribute LayerNormalization: epsilon is -1, but must be at least 0"},
    {"Softmax(x)", "x=(2,3)", "(2,3)"},
    {"Softmax(x)", "x=()", "invalid_attribute Softmax: axis is -1, but a scalar has no axes"},
    {"LogSoftmax(x, axis=1)", "x=(2)", "invalid_attribute LogSoftmax: axis is 1, but must be from -1 to 0"},
    /* losses and calculus */
    {"MSE(p, y)", "p=(batch,1) y=(batch,1)", "()"},
    {"MSE(p, y)", "p=(batch,1) y=(batch)", "shape_mismatch MSE: p is (batch,1) but y is (batch) [(batch,1), (batch)]"},
    {"MAE(p, y)", "p=(3) y=()", "shape_mismatch MAE: p is (3) but y is () [(3), ()]"},
    {"CrossEntropy(z, y)", "z=(batch,3) y=(batch,3)", "()"},
    {"CrossEntropy(z, y)", "z=(batch,3) y=(batch,1)", "()"},
    {"CrossEntropy(z, y)", "z=(batch,3) y=(batch)", "()"},
    {"CrossEntropy(z, y)", "z=(batch,3) y=(batch,2)",
     "shape_mismatch CrossEntropy: z is (batch,3) but y is (batch,2) [(batch,3), (batch,2)]"},
    {"CrossEntropy(z, y)", "z=(batch,1) y=(batch)",
     "shape_mismatch CrossEntropy: z is (batch,1), but needs 2 classes or more"},
    {"CrossEntropy(z, y)", "z=(batch) y=(batch)",
     "shape_mismatch CrossEntropy: z is (batch), but must be (n,k): a row of logits a sample"},
    {"grad(x ^ 2, x)", "x=(2,3)", "(2,3)"},
};

static void test_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text program = {0};
        struct error err = {0};
        char result[1024], buffer[SHAPE_TEXT_MAX], expected[SHAPE_TEXT_MAX], actual[SHAPE_TEXT_MAX];
        text_printf(&program, "f = %s", cases[i].formula);
        struct graph *g = fixture_build(program.data, cases[i].given, &err);
        if (g) {
            (void)snprintf(result, sizeof result, "%s", fixture_shape(g, "f", buffer));
        } else {
            const struct error_item *item = &err.items[0];
            assert_int_equal(err.total, 1);
            assert_int_equal(item->line, 1);
            int length = snprintf(result, sizeof result, "%s %s", err_name(item->code), item->detail);
            if (item->has_shapes)
                (void)snprintf(result + length, sizeof result - (size_t)length, " [%s, %s]",
                               shape_text(item->expected, expected), shape_text(item->actual, actual));
        }
        if (strcmp(result, cases[i].result) != 0)
            fail_msg("%s with %s\ngives %s\nnot   %s", cases[i].formula, cases[i].given, result, cases[i].result);
        error_clear(&err);
        graph_free(g);
        text_clear(&program);
    }
}

/* Inferring again from the normal form gives the same node, and binding agrees with inferring from numbers at once. */
static void test_normal_forms_are_fixed_points(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text program = {0};
        struct error err = {0};
        text_printf(&program, "f = %s", cases[i].formula);
        struct graph *g = fixture_build(program.data, cases[i].given, &err), *copy = NULL, *bound = NULL, *again = NULL;
        if (g) {
            assert_int_equal(graph_copy(g, &copy, NULL), ERR_ok);
            node_id f = graph_find(g, "f");
            char *first = fixture_prefix(g, f), *second = fixture_prefix(copy, f);
            assert_string_equal(first, second);
            assert_true(shape_equal(graph_node(g, f)->shape, graph_node(copy, f)->shape));
            free(first);
            free(second);
        }
        if (g && graph_bind(g, 4, &bound, NULL) == ERR_ok) {
            assert_int_equal(graph_bind(bound, 4, &again, NULL), ERR_ok);
            for (size_t k = 0; k < graph_size(bound); k++) {
                char *first = fixture_prefix(bound, (node_id)k), *second = fixture_prefix(again, (node_id)k);
                assert_string_equal(first, second);
                assert_true(shape_equal(graph_node(bound, (node_id)k)->shape, graph_node(again, (node_id)k)->shape));
                assert_true(shape_is_concrete(graph_node(bound, (node_id)k)->shape));
                free(first);
                free(second);
            }
        }
        graph_free(g);
        graph_free(copy);
        graph_free(bound);
        graph_free(again);
        error_clear(&err);
        text_clear(&program);
    }
}

/* Attributes of an op of images, (n,c,h,w); NULL: it is none. */
static const char *image_attributes(enum op op)
{
    switch (op) {
    case OP_MaxPool:
    case OP_AveragePool:
    case OP_PickMax:
    case OP_PlaceMax:
    case OP_Windows:
        return ", kernel=1";
    case OP_FoldWindows:
        return ", shape=3";
    case OP_Conv:
    case OP_GlobalAveragePool:
        return "";
    default:
        return NULL;
    }
}

/* Every op of ops.def has a case that succeeds. */
static void test_every_op_has_a_case(void **state)
{
    (void)state;
    static const enum op same_rule[] = {OP_Input, OP_Constant}; /* leaves: what the cases are made of */
    bool seen[OP_COUNT] = {false};
    for (size_t i = 0; i < sizeof same_rule / sizeof *same_rule; i++)
        seen[same_rule[i]] = true;
    for (int op = 0; op < OP_COUNT; op++) {
        struct text program = {0};
        struct error err = {0};
        static const char *const operands[] = {"", "x", "x, x", "x, x, x"};
        if (op_least_inputs((enum op)op) == 0 || seen[op])
            continue;
        const char *image = image_attributes((enum op)op);
        text_printf(&program, "f = %s(%s%s)", op_name((enum op)op), operands[op_least_inputs((enum op)op)],
                    image                                 ? image
                    : op == OP_Reshape || op == OP_Expand ? ", shape=[2, 2]"
                    : op == OP_Concat                     ? ", axis=0"
                    : op == OP_Slice                      ? ", starts=0, ends=1"
                    : op == OP_ScatterSlice               ? ", shape=[2, 2], starts=0, axes=0, steps=1"
                    : op == OP_ScatterAdd                 ? ", axis=0, size=2"
                    : op == OP_Polygamma                  ? ", n=1"
                    : op == OP_Clip                       ? ", min=0"
                    : op == OP_OneHot                     ? ", depth=2"
                    : op == OP_Unsqueeze || op == OP_Flip ? ", axes=0"
                    : op == OP_Pad                        ? ", pads=1"
                    : op == OP_Tile                       ? ", repeats=[2, 1]"
                    : op == OP_Einsum                     ? ", equation=\"ij\""
                    : op == OP_CumSum || op == OP_ArgMax  ? ", axis=0"
                                                          : "");
        struct graph *g = fixture_build(program.data, image ? "x=(1,1,2,2)" : "x=(2,2)", &err);
        if (!g)
            fail_msg("%s: %s", program.data, err.items[0].detail);
        graph_free(g);
        error_clear(&err);
        text_clear(&program);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_normal_forms_are_fixed_points),
        cmocka_unit_test(test_every_op_has_a_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
