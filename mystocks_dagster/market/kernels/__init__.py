"""The compiled primitives of formulas: each computes one series of many symbols and carries its state on.

A kernel works on a block: the rows of many symbols laid end to end, each symbol's in ascending order of date. Rows
`offsets[s]:offsets[s + 1]` belong to symbol `s`, whose state is `state[s]`: zeros before its first row, read at the
start and written at the end. So two calls with the halves of a history give the bits of one call with the whole. NaN
is "no value" (通达信's 无效值).

`registry` lists the primitives by name. Importing a module with kernels imports numba; nothing that loads tasks.yaml
or shows help does.
"""
