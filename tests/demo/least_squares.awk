# Linear regression of the last column on the others by the normal equations, fitted on the first file; prints the root mean square error on the second.
# The yardstick for a network on the same rows.
BEGIN { FS = "," }
FNR == 1 { file++; next }
file == 1 {
    x[0] = 1
    for (i = 1; i < NF; i++) x[i] = $i
    n = NF
    for (i = 0; i < n; i++) {
        for (j = 0; j < n; j++) a[i, j] += x[i] * x[j]
        a[i, n] += x[i] * $NF
    }
    next
}
file == 2 && !solved {
    for (p = 0; p < n; p++) { # Gauss-Jordan with the largest pivot
        best = p
        for (i = p + 1; i < n; i++) if (a[i, p] ^ 2 > a[best, p] ^ 2) best = i
        for (j = 0; j <= n; j++) { t = a[p, j]; a[p, j] = a[best, j]; a[best, j] = t }
        for (i = 0; i < n; i++) if (i != p) {
            f = a[i, p] / a[p, p]
            for (j = p; j <= n; j++) a[i, j] -= f * a[p, j]
        }
    }
    solved = 1
}
{
    y = a[0, n] / a[0, 0]
    for (i = 1; i < n; i++) y += a[i, n] / a[i, i] * $i
    sum += (y - $NF) ^ 2
    count++
}
END { printf "%.2f\n", sqrt(sum / count) }
