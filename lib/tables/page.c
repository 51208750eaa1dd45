/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * page.c - 2 MB pages that hold copies of segments side by side (segment.h). Control thread only.
 *
 * A segment of 256 kB can't be mapped from a page of 2 MB that has others beside it, since what changes is never changed in
 * place: so the segments stay what comes in and is checked, and what workers read is copied from them, page by page. Pages
 * are filled through a mapping that stays, and used again: to take one from the kernel means clearing 2 MB, to give one back
 * an interrupt of every CPU that runs one of our threads.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "segment.h"

#define MFD_HUGE_2MB_ (21u << 26) /* MFD_HUGE_2MB; older headers lack it */

static void page_free(struct table_page *p)
{
	if (!p)
		return;
	if (p->bytes)
		munmap(p->bytes, TABLE_PAGE_BYTES);
	if (p->fd >= 0)
		close(p->fd);
	free(p->ids);
	free(p);
}

/* By fallocate(), which can fail: a page that isn't there when it is written to is a SIGBUS. */
static int page_take(struct table_page *p)
{
	void *at;

	p->fd = memfd_create("dwcp-tables", MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB_);
	if (p->fd < 0 || fallocate(p->fd, 0, 0, TABLE_PAGE_BYTES) < 0)
		return -errno;
	at = mmap(NULL, TABLE_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, p->fd,
		  0);
	if (at == MAP_FAILED)
		return -errno;
	p->bytes = at;
	return 0;
}

static struct table_page *page_create(void)
{
	struct table_page *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->fd = -1;
	if (page_take(p)) {
		page_free(p);
		return NULL;
	}
	return p;
}

/* One that nobody reads, or a new one. In no list. */
static struct table_page *page_obtain(struct table_pages *pages)
{
	struct table_page *p = pages->spare;

	if (!p)
		return page_create();
	pages->spare = p->next;
	pages->n_spare--;
	return p;
}

static void page_spare(struct table_pages *pages, struct table_page *p)
{
	p->next = pages->spare;
	pages->spare = p;
	pages->n_spare++;
}

/* As many as are in use, for the next full table, and one that a segment may be read into when it comes. */
static void pages_trim(struct table_pages *pages)
{
	while (pages->n_spare > (pages->n_used ? pages->n_used + 1 : 0)) {
		struct table_page *p = pages->spare;

		pages->spare = p->next;
		pages->n_spare--;
		page_free(p);
	}
}

static bool page_holds(const struct table_page *p, struct segment *const *seg, u32 n)
{
	if (p->n != n)
		return false;
	for (u32 i = 0; i < n; i++)
		if (p->ids[i] != seg[i]->id)
			return false;
	return true;
}

/* The ids of as many segments as there can be in a page. */
static int ids_reserve(struct table_page *p)
{
	if (!p->ids)
		p->ids = malloc(TABLE_PAGE_BYTES / DWCP_SEGMENT_ALIGN * sizeof(*p->ids));
	return p->ids ? 0 : -ENOMEM;
}

static int page_fill(struct table_page *p, struct segment *const *seg, u32 n)
{
	u32 at = 0;
	int err = ids_reserve(p);

	if (err)
		return err;
	p->n = n;
	for (u32 i = 0; i < n; i++) {
		err = segment_read(seg[i], p->bytes + at);
		if (err)
			return err;
		p->ids[i] = seg[i]->id;
		at += seg[i]->bytes;
	}
	memset(p->bytes + at, 0, TABLE_PAGE_BYTES - at);
	return 0;
}

/* ---- what comes in ------------------------------------------------------------------------------------------- */

/* Nothing more goes into it: it is ready if it may be asked for, else filled from the beginning. */
static void filling_end(struct table_pages *pages)
{
	struct table_page *p = pages->filling;

	if (p && pages->filling_bytes > TABLE_PAGE_BYTES / 2) {
		memset(p->bytes + pages->filling_bytes, 0, TABLE_PAGE_BYTES - pages->filling_bytes);
		p->next = pages->ready;
		pages->ready = p;
		pages->n_ready++;
		pages->filling = NULL;
	}
	pages->filling_bytes = 0;
}

/* Not for tables that are too small for pages: each publish would take one and give it back. */
static bool filling_begin(struct table_pages *pages)
{
	struct table_page *p = pages->filling;

	if (!p && pages->n_used)
		p = page_obtain(pages);
	pages->filling = p;
	if (!p || ids_reserve(p))
		return false;
	p->n = 0;
	return true;
}

u8 *page_slot(struct table_pages *pages, u16 section, u32 bytes)
{
	if (bytes > TABLE_PAGE_BYTES)
		return NULL;
	if (pages->filling_bytes &&
	    (section != pages->filling_section || pages->filling_bytes + bytes > TABLE_PAGE_BYTES))
		filling_end(pages);
	if (pages->filling_bytes == 0 && !filling_begin(pages))
		return NULL;
	pages->filling_section = section;
	return pages->filling->bytes + pages->filling_bytes;
}

void page_slot_keep(struct table_pages *pages, u64 id, u32 bytes)
{
	struct table_page *p = pages->filling;

	p->ids[p->n++] = id;
	pages->filling_bytes += bytes;
}

void pages_forget(struct table_pages *pages)
{
	pages->filling_bytes = 0;
	while (pages->ready) {
		struct table_page *p = pages->ready;

		pages->ready = p->next;
		page_spare(pages, p);
	}
	if (pages->filling)
		page_spare(pages, pages->filling);
	pages->filling = NULL;
	pages->n_ready = 0;
	pages_trim(pages);
}

static struct table_page *ready_take(struct table_pages *pages, struct segment *const *seg, u32 n)
{
	for (struct table_page **at = &pages->ready; *at; at = &(*at)->next) {
		struct table_page *p = *at;

		if (!page_holds(p, seg, n))
			continue;
		*at = p->next;
		pages->n_ready--;
		return p;
	}
	return NULL;
}

/* ---- what workers read --------------------------------------------------------------------------------------- */

static struct table_page *page_make(struct table_pages *pages, struct segment *const *seg, u32 n)
{
	struct table_page *p = ready_take(pages, seg, n);

	if (p)
		return p;
	p = page_obtain(pages);
	if (p && page_fill(p, seg, n)) {
		page_spare(pages, p);
		pages_trim(pages);
		p = NULL;
	}
	return p;
}

struct table_page *page_get(struct table_pages *pages, struct segment *const *seg, u32 n)
{
	struct table_page *p;

	for (p = pages->used; p; p = p->next) {
		if (page_holds(p, seg, n)) {
			p->refs++;
			return p;
		}
	}
	filling_end(pages);
	p = page_make(pages, seg, n);
	if (!p)
		return NULL;
	p->refs = 1;
	p->next = pages->used;
	pages->used = p;
	pages->n_used++;
	return p;
}

void page_put(struct table_pages *pages, struct table_page *p)
{
	struct table_page **at = &pages->used;

	if (!p || --p->refs != 0)
		return;
	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	pages->n_used--;
	page_spare(pages, p);
	pages_trim(pages);
}

u32 pages_count(const struct table_pages *pages)
{
	return pages->n_used + pages->n_spare + pages->n_ready + (pages->filling != NULL);
}
