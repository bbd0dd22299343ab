/* SPDX-License-Identifier: MIT */
#include "vmm/keeper/tables.h"

#include "base/child.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	STRING_BYTES_MAX = 4096,
	STRINGS_BYTES_MAX = 32 * 1024,
	FW_CFG_MAX = 8,
	DECRYPT_MS = 30 * 1000,
	WORDS_BYTES = 512,
};

#define FW_CFG_FOLDER "opt/io.systemd.credentials/"
#define CREDS "systemd-creds"

/* Bytes that are wiped when they go. */
struct secret {
	char *data;
	size_t len, size;
};

static void secret_free(struct secret *s)
{
	if (s->data)
		explicit_bzero(s->data, s->size);
	free(s->data);
	*s = (struct secret){0};
}

static inline void cleanup_secret_fn(struct secret *s)
{
	secret_free(s);
}
#define cleanup_secret __attribute__((cleanup(cleanup_secret_fn)))

static int secret_make(struct secret *s, size_t size, struct error *err)
{
	*s = (struct secret){.data = malloc(size + 1), .size = size + 1};
	return s->data ? 0 : error_oom(err);
}

static int too_large(struct error *err)
{
	return error_set(err, EFBIG, "the credentials are larger than %d bytes together",
			 SPEC_CREDENTIAL_BYTES_MAX);
}

/* All of a plain file, at once, so that no second copy of it is left in the heap. */
static int read_all(int fd, struct secret *ret_secret, struct error *err)
{
	cleanup_secret struct secret s = {0};
	struct stat st;
	int rc;

	if (fstat(fd, &st) < 0)
		return error_errno(err, errno, "read");
	if (!S_ISREG(st.st_mode))
		return error_set(err, EINVAL, "it is no plain file");
	if (st.st_size > SPEC_CREDENTIAL_BYTES_MAX)
		return too_large(err);
	rc = secret_make(&s, (size_t)st.st_size, err);
	while (rc == 0 && s.len < (size_t)st.st_size) {
		ssize_t n = pread(fd, s.data + s.len, (size_t)st.st_size - s.len, (off_t)s.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, errno, "read");
		if (n == 0)
			break;
		s.len += (size_t)n;
	}
	if (rc < 0)
		return rc;
	*ret_secret = s;
	s = (struct secret){0};
	return 0;
}

static int read_path(const char *path, struct secret *ret_secret, struct error *err)
{
	/* A FIFO is not waited for. */
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return error_errno(err, errno, "'%s'", path);
	return error_wrap_if(err, read_all(fd, ret_secret, err), "'%s'", path);
}

static int read_text(const char *text, struct secret *ret_secret, struct error *err)
{
	int rc = secret_make(ret_secret, strlen(text), err);

	if (rc < 0)
		return rc;
	ret_secret->len = strlen(text);
	memcpy(ret_secret->data, text, ret_secret->len);
	return 0;
}

/* By its own name first; hv@.service loads one as "hv.NAME" for each machine. */
static int read_of_unit(const struct spec_vm *vm, const char *name, struct secret *ret_secret,
			struct error *err)
{
	const char *folder = secure_getenv("CREDENTIALS_DIRECTORY");
	cleanup_free char *own = str_printf("%s/%s", folder ? folder : "", name);
	cleanup_free char *general = str_printf("%s/hv.%s", folder ? folder : "", vm->name);

	if (!own || !general)
		return error_oom(err);
	if (folder && access(own, F_OK) == 0)
		return read_path(own, ret_secret, err);
	if (folder && access(general, F_OK) == 0)
		return read_path(general, ret_secret, err);
	return error_set(err, ENOENT,
			 "from: unit, but the supervisor got neither '%s' nor 'hv.%s' from systemd "
			 "(LoadCredential= in a drop-in of hv@%s.service)",
			 name, vm->name, vm->name);
}

static int make_memory(const char *name, int *ret_fd, struct error *err)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd < 0)
		return error_errno(err, errno, "memfd_create");
	*ret_fd = fd;
	return 0;
}

/* What it said last, for the error. */
static void read_words(int fd, char *buf, size_t size)
{
	cleanup_strbuf struct strbuf shown = {0};
	ssize_t n = pread(fd, buf, size - 1, 0);

	while (n > 0 && buf[n - 1] == '\n')
		n--;
	strbuf_add_printable(&shown, buf, n > 0 ? (size_t)n : 0, false);
	(void)str_format(buf, size, "%s", shown.data ? shown.data : "");
}

/* Decrypts into memory that is nobody else's; nothing of it passes our heap but by
 * read_all(). */
static int decrypt(const struct spec_credential *credential, struct secret *ret_secret,
		   struct error *err)
{
	cleanup_free char *program = file_find_program(CREDS);
	cleanup_free char *name = str_printf("--name=%s", credential->name);
	cleanup_close int out = -1, words = -1;
	cleanup_child struct child child = CHILD_INIT;
	char *argv[] = {(char *)CREDS,         (char *)"decrypt", name,
			credential->encrypted, (char *)"-",       NULL};
	char said[WORDS_BYTES];
	int status = 0, rc;

	if (!program)
		return error_set(err, ENOENT,
				 "encrypted: needs systemd-creds, which is not installed");
	if (!name)
		return error_oom(err);
	rc = make_memory("credential", &out, err);
	if (rc == 0)
		rc = make_memory("words", &words, err);
	if (rc == 0)
		rc = child_spawn(
			&(struct child_spec){
				.path = program,
				.argv = argv,
				.stdin_fd = -1,
				.stdout_fd = out,
				.stderr_fd = words,
				.cwd_fd = -1,
			},
			&child, err);
	if (rc == 0)
		rc = child_wait(&child, DECRYPT_MS, &status, err);
	if (rc < 0)
		return error_wrap(err, rc, CREDS);
	if (status) {
		read_words(words, said, sizeof(said));
		return error_set(err, EKEYREJECTED, "%s does not decrypt '%s': %s", CREDS,
				 credential->encrypted, said);
	}
	return read_all(out, ret_secret, err);
}

static int read_value(const struct spec_vm *vm, const struct spec_credential *credential,
		      struct secret *ret_secret, struct error *err)
{
	switch (credential->source) {
	case SPEC_CREDENTIAL_FILE:
		return read_path(credential->file, ret_secret, err);
	case SPEC_CREDENTIAL_TEXT:
		return read_text(credential->text, ret_secret, err);
	case SPEC_CREDENTIAL_UNIT:
		return read_of_unit(vm, credential->name, ret_secret, err);
	case SPEC_CREDENTIAL_ENCRYPTED:
		return decrypt(credential, ret_secret, err);
	case SPEC_CREDENTIAL_SOURCE_COUNT:
		break;
	}
	return error_set(err, EINVAL, "it has no source");
}

/* Whether it can stand in an OEM string as it is. Firmware may cut blanks at the end. */
static bool is_plain(const struct secret *s)
{
	for (size_t i = 0; i < s->len; i++)
		if (s->data[i] < 0x20 || s->data[i] > 0x7e)
			return false;
	return s->len > 0 && s->data[0] != ' ' && s->data[s->len - 1] != ' ';
}

static void add_base64(struct secret *to, const struct secret *from)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				     "0123456789+/";

	for (size_t i = 0; i < from->len; i += 3) {
		size_t n = from->len - i < 3 ? from->len - i : 3;
		uint32_t v = 0;

		for (size_t j = 0; j < 3; j++)
			v = v << 8 | (j < n ? (unsigned char)from->data[i + j] : 0);
		for (size_t j = 0; j < 4; j++)
			to->data[to->len++] = j <= n ? digits[v >> (18 - 6 * j) & 0x3f] : '=';
	}
}

/* "io.systemd.credential:NAME=VALUE", or the same in base64 where the value is not
 * plain text. */
static int make_oem_string(const char *name, const struct secret *value, struct secret *ret_text,
			   struct error *err)
{
	bool plain = is_plain(value);
	cleanup_free char *head =
		str_printf("io.systemd.credential%s:%s=", plain ? "" : ".binary", name);
	int rc;

	if (!head)
		return error_oom(err);
	rc = secret_make(ret_text, strlen(head) + (value->len + 2) / 3 * 4, err);
	if (rc < 0)
		return rc;
	ret_text->len = strlen(head);
	memcpy(ret_text->data, head, ret_text->len);
	if (plain) {
		memcpy(ret_text->data + ret_text->len, value->data, value->len);
		ret_text->len += value->len;
	} else {
		add_base64(ret_text, value);
	}
	return 0;
}

struct reader {
	struct tables *tables;
	size_t value_bytes, string_bytes, n_fw_cfg;
};

static int add_table(struct reader *r, const char *fw_cfg, const struct secret *text,
		     struct error *err)
{
	struct tables *t = r->tables;
	cleanup_close int fd = -1;
	int rc;

	if (t->n == TABLES_MAX)
		return error_set(err, E2BIG, "more than %d of them", TABLES_MAX);
	rc = make_memory("table", &fd, err);
	if (rc == 0)
		rc = file_write_all(fd, text->data, text->len, err);
	if (rc < 0)
		return rc;
	t->v[t->n] = (struct qemu_table){0};
	(void)str_format(t->v[t->n].fw_cfg, sizeof(t->v[t->n].fw_cfg), "%s", fw_cfg);
	t->fds[t->n++] = steal_fd(&fd);
	return 0;
}

static int add_fw_cfg(struct reader *r, const char *name, const struct secret *value,
		      struct error *err)
{
	char file[QEMU_TABLE_NAME_MAX];

	if (!str_format(file, sizeof(file), FW_CFG_FOLDER "%s", name))
		return error_set(err, ENAMETOOLONG,
				 "its %zu bytes are too many for an OEM string, and its name is "
				 "too long for fw_cfg (%zu bytes at most)",
				 value->len, sizeof(file) - sizeof(FW_CFG_FOLDER));
	if (r->n_fw_cfg++ == FW_CFG_MAX)
		return error_set(err, E2BIG,
				 "it does not fit: %d KiB of OEM strings and %d larger "
				 "credentials are the most",
				 STRINGS_BYTES_MAX / 1024, FW_CFG_MAX);
	return add_table(r, file, value, err);
}

static int add_credential(struct reader *r, const struct spec_vm *vm,
			  const struct spec_credential *credential, struct error *err)
{
	cleanup_secret struct secret value = {0}, text = {0};
	int rc;

	rc = read_value(vm, credential, &value, err);
	if (rc < 0)
		return rc;
	r->value_bytes += value.len;
	if (r->value_bytes > SPEC_CREDENTIAL_BYTES_MAX)
		return too_large(err);
	rc = make_oem_string(credential->name, &value, &text, err);
	if (rc < 0)
		return rc;
	if (text.len > STRING_BYTES_MAX || r->string_bytes + text.len > STRINGS_BYTES_MAX)
		return add_fw_cfg(r, credential->name, &value, err);
	r->string_bytes += text.len;
	return add_table(r, "", &text, err);
}

static int add_string(struct reader *r, const char *string, struct error *err)
{
	cleanup_secret struct secret text = {0};
	int rc;

	rc = read_text(string, &text, err);
	r->string_bytes += text.len;
	if (rc == 0 && r->string_bytes > STRINGS_BYTES_MAX)
		rc = error_set(err, E2BIG, "more than %d KiB", STRINGS_BYTES_MAX / 1024);
	return rc == 0 ? add_table(r, "", &text, err) : rc;
}

int tables_read(const struct spec_vm *vm, struct tables *ret_tables, struct error *err)
{
	struct reader r = {.tables = ret_tables};
	int rc = 0;

	*ret_tables = (struct tables){0};
	for (size_t i = 0; rc == 0 && i < vm->n_oem_strings; i++)
		rc = error_wrap_if(err, add_string(&r, vm->oem_strings[i], err), "oem-strings");
	for (size_t i = 0; rc == 0 && i < vm->n_credentials; i++)
		rc = error_wrap_if(err, add_credential(&r, vm, &vm->credentials[i], err),
				   "credential '%s'", vm->credentials[i].name);
	if (rc < 0)
		tables_free(ret_tables);
	return rc;
}

void tables_free(struct tables *t)
{
	for (size_t i = 0; i < t->n; i++)
		close_fd(&t->fds[i]);
	*t = (struct tables){0};
}

int tables_read_word(const struct spec_vm *vm, const struct spec_credential *credential, char *buf,
		     size_t size, struct error *err)
{
	cleanup_secret struct secret value = {0};
	int rc = read_value(vm, credential, &value, err);

	if (rc == 0 && value.len && value.data[value.len - 1] == '\n')
		value.len--;
	if (rc == 0 && value.len >= size)
		rc = error_set(err, EFBIG, "it has more than %zu bytes", size - 1);
	else if (rc == 0 && (!value.len || memchr(value.data, '\0', value.len)))
		rc = error_set(err, EINVAL, "it is empty, or no text");
	if (rc < 0)
		return error_wrap(err, rc, "credential '%s'", credential->name);
	memcpy(buf, value.data, value.len);
	buf[value.len] = '\0';
	return 0;
}
