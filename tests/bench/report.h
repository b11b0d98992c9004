/* Fields of a JSON line. NAN is null. */
#ifndef GRADD_BENCH_REPORT_H
#define GRADD_BENCH_REPORT_H

void print_us(const char *name, double us);       /* ,"name":1.234 */
void print_ratio(const char *name, double ratio); /* ,"name":1.23 */

#endif
