# Every fifth row of a CSV goes to `test`, the others to `train`; both get the header.
NR == 1 { print > train; print > test; next }
{ print > (NR % 5 == 0 ? test : train) }
