# The class whose mean is nearest, fitted on the first file; prints the share of right answers on the second, in percent. The yardstick for a network on the same rows.
BEGIN { FS = "," }
FNR == 1 { file++; next }
file == 1 {
    members[$NF]++
    for (i = 1; i < NF; i++) mean[$NF, i] += $i
    next
}
file == 2 && !fitted {
    for (c in members) for (i = 1; i < NF; i++) mean[c, i] /= members[c]
    fitted = 1
}
{
    least = -1
    for (c in members) {
        distance = 0
        for (i = 1; i < NF; i++) distance += (mean[c, i] - $i) ^ 2
        if (least < 0 || distance < least) { least = distance; nearest = c }
    }
    right += nearest == $NF
    count++
}
END { printf "%.1f\n", 100 * right / count }
