/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memfd.c - making sealed memfds, and telling them from every other kind of fd.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <dwcp/util/generation.h>

#include "hash.h"
#include "manifest.h"

#define SEALED	      (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)
#define MEMFD_HUGE    (2u << 20)
#define MFD_HUGE_2MB_ (21u << 26) /* MFD_HUGE_2MB; older headers lack it */

int memfd_check(int fd, u64 *ret_bytes, struct refusal *r)
{
	struct stat st;
	int seals;

	/* First, because it asks no file system anything: fstat() of a file on a dead server may never return. */
	seals = fcntl(fd, F_GET_SEALS);
	GEN_REQUIRE(r, MEMFD_KIND, seals >= 0);
	GEN_REQUIRE(r, MEMFD_SEALS, (seals & SEALED) == SEALED);
	if (fstat(fd, &st) < 0)
		return refusal_set_errno(r, "memfd_stat", errno);
	*ret_bytes = (u64)st.st_size;
	return 0;
}

static int bytes_write(int fd, const void *bytes, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pwrite(fd, (const u8 *)bytes + done, len - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return 0;
}

static int seal(int fd)
{
	return fcntl(fd, F_ADD_SEALS, SEALED | F_SEAL_SEAL) < 0 ? -errno : 0;
}

int memfd_seal(const char *name, const void *bytes, size_t len, size_t padded)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int err;

	if (fd < 0)
		return -errno;
	err = bytes_write(fd, bytes, len);
	if (!err && padded > len && ftruncate(fd, (off_t)padded) < 0)
		err = -errno;
	if (!err)
		err = seal(fd);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

/* hugetlbfs has no write(): through a mapping, which must be gone before the seal. */
static int huge_fill(int fd, const void *bytes, size_t len, size_t padded)
{
	void *at;

	if (ftruncate(fd, (off_t)padded) < 0)
		return -errno;
	/* without MAP_NORESERVE this takes the pages or fails: no fault later */
	at = mmap(NULL, padded, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	memcpy(at, bytes, len);
	munmap(at, padded);
	return seal(fd);
}

static int huge_seal(const char *name, const void *bytes, size_t len, size_t padded)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB | MFD_HUGE_2MB_);
	int err;

	if (fd < 0)
		return -errno;
	err = huge_fill(fd, bytes, len, padded);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

int segment_seal(u16 section, const void *bytes, size_t len, bool huge,
		 struct dwcp_segment_desc *ret_desc)
{
	size_t padded;
	int fd = -1;

	if (len == 0 || len > DWCP_SEGMENT_MAX_BYTES)
		return -EINVAL;
	if (huge) {
		padded = MEMFD_HUGE;
		fd = huge_seal("dwcp-segment", bytes, len, padded);
	}
	if (fd < 0) {
		padded = DWCP_ALIGN_UP(len, (size_t)DWCP_SEGMENT_ALIGN);
		fd = memfd_seal("dwcp-segment", bytes, len, padded);
	}
	if (fd < 0)
		return fd;
	*ret_desc = (struct dwcp_segment_desc){
		.id = table_hash_padded(bytes, len, padded),
		.bytes = (u32)padded,
		.section = section,
	};
	return fd;
}
