#include "report.h"

#include <math.h>
#include <stdio.h>

void print_us(const char *name, double us)
{
    if (isnan(us))
        printf(",\"%s\":null", name);
    else
        printf(",\"%s\":%.4g", name, us);
}

void print_ratio(const char *name, double ratio)
{
    if (isnan(ratio))
        printf(",\"%s\":null", name);
    else
        printf(",\"%s\":%.*f", name, ratio < 10 ? 2 : 0, ratio);
}
