/* Benchmarks of queries as clients see them: over HTTP, from gradd as a process of its own, each in turns with a bare
 * server that reads the same body and answers as many bytes. */
#ifndef GRADD_BENCH_HTTP_QUERIES_H
#define GRADD_BENCH_HTTP_QUERIES_H

/* Lines for those whose name has `picked` in it. */
void bench_http(const char *picked);

#endif
