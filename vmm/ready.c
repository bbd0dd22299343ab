/* SPDX-License-Identifier: MIT */
#include "vmm/ready.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "vmm/json.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

void ready_tell(int fd, const struct error *err)
{
	cleanup_strbuf struct strbuf why = {0};
	cleanup_json json_t *message = NULL;
	cleanup_free char *text = NULL;

	if (fd < 0)
		return;
	/* A path in it need not be UTF-8, which JSON is. */
	if (err)
		strbuf_add_printable(&why, err->text, strlen(err->text), true);
	message = err ? json_pack("{s:s s:i}", "error", why.data ? why.data : "", "code", err->code)
		      : json_pack("{s:b}", "ready", 1);
	text = message ? json_dumps(message, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	/* Whoever started us may have gone; then nobody needs to know. */
	(void)signal(SIGPIPE, SIG_IGN);
	if (text)
		(void)file_write_all(fd, text, strlen(text), NULL);
	close(fd);
}

int ready_decode(const char *text, size_t len, struct error *err)
{
	cleanup_json json_t *message = json_loadb(text, len, 0, NULL);
	const char *why = NULL;
	int code = EIO;

	if (message && json_is_true(json_object_get(message, "ready")))
		return 0;
	if (!message || json_unpack(message, "{s:s s:i}", "error", &why, "code", &code) < 0 ||
	    code <= 0)
		return error_set(err, EPIPE, "its supervisor ended without a word");
	return error_set(err, code, "%s", why);
}
