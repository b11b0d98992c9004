# A CSV of numbers as the body of a predict request: {"rows": [{"age": 59, ...}, ...]}, without the last column, which is the target.
BEGIN { FS = ","; printf "{\"rows\": [" }
NR == 1 { for (i = 1; i < NF; i++) name[i] = $i; next }
{
    printf("%s{", NR > 2 ? ", " : "")
    for (i = 1; i < NF; i++) printf("%s\"%s\": %s", i > 1 ? ", " : "", name[i], $i)
    printf "}"
}
END { print "]}" }
