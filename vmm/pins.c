/* SPDX-License-Identifier: MIT */
#include "vmm/pins.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "vmm/json.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>

#define STATE_FILE "state.json"

enum { STATE_VERSION = 1, STATE_BYTES_MAX = 1024 * 1024, PLACE_MAX = 4096 };

void vm_pins_init(struct vm_pins *ret_pins)
{
	*ret_pins = (struct vm_pins){.lean = true};
}

void vm_pins_free(struct vm_pins *pins)
{
	for (size_t i = 0; i < pins->n_devices; i++)
		free(pins->devices[i].key);
	free(pins->devices);
	free(pins->machine);
	free(pins->cpu);
	free(pins->last_error);
	free(pins->next_state);
	*pins = (struct vm_pins){0};
}

struct vm_pin *vm_pins_find(const struct vm_pins *pins, const char *key)
{
	for (size_t i = 0; i < pins->n_devices; i++)
		if (str_eq(pins->devices[i].key, key))
			return &pins->devices[i];
	return NULL;
}

int vm_pins_add(struct vm_pins *pins, const char *key, unsigned place, struct vm_pin **ret_pin,
		struct error *err)
{
	cleanup_free char *copy = strdup(key);
	struct vm_pin *grown;

	if (!copy)
		return error_oom(err);
	grown = reallocarray(pins->devices, pins->n_devices + 1, sizeof(*grown));
	if (!grown)
		return error_oom(err);
	pins->devices = grown;
	grown[pins->n_devices] = (struct vm_pin){.key = steal_ptr(&copy), .place = place};
	*ret_pin = &grown[pins->n_devices++];
	return 0;
}

static json_t *encode_device(const struct vm_pin *pin)
{
	char mac[MAC_TEXT_SIZE];

	if (!pin->has_mac)
		return json_pack("{s:i}", "place", (int)pin->place);
	mac_format(mac, pin->mac);
	return json_pack("{s:i s:s}", "place", (int)pin->place, "mac", mac);
}

char *vm_pins_encode(const struct vm_pins *pins)
{
	cleanup_json json_t *devices = json_object();
	cleanup_json json_t *root = NULL;
	cleanup_strbuf struct strbuf last_error = {0};

	/* A path in it need not be UTF-8, which JSON is. */
	if (pins->last_error)
		strbuf_add_printable(&last_error, pins->last_error, strlen(pins->last_error), true);
	if (last_error.failed)
		return NULL;
	for (size_t i = 0; devices && i < pins->n_devices; i++)
		if (json_object_set_new(devices, pins->devices[i].key,
					encode_device(&pins->devices[i])) < 0)
			return NULL;
	root = json_pack("{s:i s:s* s:s* s:b s:b s:s* s:O}", "version", STATE_VERSION, "machine",
			 pins->machine, "cpu", pins->cpu, "tpm-used", pins->tpm_used, "crashed",
			 pins->crashed, "last-error", last_error.data, "devices", devices);
	if ((pins->next_state &&
	     json_object_set_new(root, "next-state", json_string(pins->next_state)) < 0) ||
	    (pins->next_links_up && json_object_set_new(root, "next-links-up", json_true()) < 0) ||
	    (pins->lean && json_object_set_new(root, "lean", json_true()) < 0) ||
	    (pins->begun && json_object_set_new(root, "begun", json_true()) < 0))
		return NULL;
	return root ? json_dumps(root, JSON_INDENT(2)) : NULL;
}

static int decode_devices(json_t *devices, struct vm_pins *pins, struct error *err)
{
	const char *key;
	json_t *value;

	json_object_foreach (devices, key, value) {
		const char *mac = NULL;
		struct vm_pin *pin;
		json_int_t place;
		int rc;

		if (json_unpack(value, "{s:I s?s}", "place", &place, "mac", &mac) < 0 ||
		    place < 0 || place > PLACE_MAX)
			return error_set(err, EINVAL, "device '%s' is not as expected", key);
		rc = vm_pins_add(pins, key, (unsigned)place, &pin, err);
		if (rc < 0)
			return rc;
		if (mac && !json_parse_mac(mac, pin->mac))
			return error_set(err, EINVAL, "device '%s': bad MAC", key);
		pin->has_mac = mac;
	}
	return 0;
}

static int decode(json_t *root, struct vm_pins *pins, struct error *err)
{
	const char *machine = NULL, *cpu = NULL, *last_error = NULL, *next_state = NULL;
	int tpm_used = 0, crashed = 0, begun = 0, links_up = 0, lean = 0;
	json_int_t version;
	json_t *devices;

	if (json_unpack(root, "{s:I s?s s?s s?b s?b s?s s?s s?b s?b s?b s:o}", "version", &version,
			"machine", &machine, "cpu", &cpu, "tpm-used", &tpm_used, "crashed",
			&crashed, "last-error", &last_error, "next-state", &next_state, "begun",
			&begun, "next-links-up", &links_up, "lean", &lean, "devices",
			&devices) < 0 ||
	    !json_is_object(devices))
		return error_set(err, EINVAL, "not as expected");
	if (version != STATE_VERSION)
		return error_set(err, EINVAL,
				 "made by another version of hvup (format %" JSON_INTEGER_FORMAT
				 ")",
				 version);
	pins->tpm_used = tpm_used;
	pins->crashed = crashed;
	pins->begun = begun;
	pins->lean = lean;
	pins->next_links_up = links_up;
	if ((machine && !(pins->machine = strdup(machine))) ||
	    (cpu && !(pins->cpu = strdup(cpu))) ||
	    (last_error && !(pins->last_error = strdup(last_error))) ||
	    (next_state && !(pins->next_state = strdup(next_state))))
		return error_oom(err);
	return decode_devices(devices, pins, err);
}

int vm_pins_decode(const char *text, struct vm_pins *ret_pins, struct error *err)
{
	struct vm_pins pins = {0};
	cleanup_json json_t *root = NULL;
	json_error_t fault;
	int rc;

	root = json_loads(text, JSON_REJECT_DUPLICATES, &fault);
	if (!root)
		return error_set(err, EINVAL, "line %d: it is not JSON", fault.line);
	rc = decode(root, &pins, err);
	if (rc < 0) {
		vm_pins_free(&pins);
		return rc;
	}
	*ret_pins = pins;
	return 0;
}

int vm_pins_load(int state_dirfd, struct vm_pins *ret_pins, struct error *err)
{
	cleanup_free char *text = NULL;
	int rc;

	rc = file_read_plain(state_dirfd, STATE_FILE, STATE_BYTES_MAX, &text, NULL, err);
	if (rc == -ENOENT) {
		vm_pins_init(ret_pins);
		return 0;
	}
	if (rc < 0)
		return rc;
	return error_wrap_if(err, vm_pins_decode(text, ret_pins, err),
			     "its " STATE_FILE " cannot be read (restore it, or remove it to let "
			     "the guest see new hardware)");
}

int vm_pins_save(int state_dirfd, const struct vm_pins *pins, struct error *err)
{
	cleanup_free char *text = vm_pins_encode(pins);

	if (!text)
		return error_oom(err);
	return file_write_atomic(state_dirfd, STATE_FILE, text, strlen(text), 0644, err);
}
