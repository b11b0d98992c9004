/* Pages of lists: {"items": [...], "next": "..."}, and a Link header to the next one. */
#ifndef GRADD_API_PAGE_H
#define GRADD_API_PAGE_H

#include "api/reply.h"

/* Asks for one item more than the page has, so that it is known whether another follows. */
struct page page_and_one(struct page page);

/* How many of the items that were found belong to the page. */
size_t page_count(struct page page, size_t found);

/* Begins the object and its items. */
void put_page(struct json *j);

/* Ends it. next: what `after` is for the next page; NULL: this is the last one. */
void put_page_end(struct json *j, const struct request *r, struct reply *ret, const char *next);

#endif
