/* SPDX-License-Identifier: MIT */
#include "vmm/hardware.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "vmm/pins.h"

#include <errno.h>
#include <stdio.h>

/* One bus that devices take places on. */
struct bus {
	const char *prefix; /* of the keys of its pins */
	unsigned first, last;
};

static const struct bus bus_pci = {"pci/", HARDWARE_SLOT_FIRST, HARDWARE_SLOT_LAST};
static const struct bus bus_sata = {"sata/", 0, HARDWARE_SATA_PORTS - 1};
static const struct bus bus_scsi = {"scsi/", 0, HARDWARE_SCSI_LUNS - 1};

static const struct bus *bus_of_disk(enum spec_bus bus)
{
	switch (bus) {
	case SPEC_BUS_SATA:
		return &bus_sata;
	case SPEC_BUS_SCSI:
		return &bus_scsi;
	case SPEC_BUS_VIRTIO:
	case SPEC_BUS_NVME:
	case SPEC_BUS_COUNT:
		break;
	}
	return &bus_pci;
}

/* The keys of all configured devices: disks, CDs, NICs, each in their order. */
static void collect_keys(const struct spec_vm *vm, struct strv *keys)
{
	for (size_t i = 0; i < vm->n_disks; i++)
		strv_addf(keys, "%sdisk/%s", bus_of_disk(vm->disks[i].bus)->prefix,
			  vm->disks[i].name);
	for (size_t i = 0; i < vm->n_cdroms; i++)
		strv_addf(keys, "sata/cdrom/%zu", i);
	for (size_t i = 0; i < vm->n_nics; i++) {
		unsigned before = 0;

		/* By network, not by index: reordering moves nothing. */
		for (size_t j = 0; j < i; j++)
			before += vm->nics[j].network == vm->nics[i].network;
		strv_addf(keys, "pci/nic/%s/%u", vm->nics[i].network->name, before);
	}
}

static bool is_configured(const struct strv *keys, const char *key)
{
	for (size_t i = 0; i < keys->n; i++)
		if (str_eq(keys->v[i], key))
			return true;
	return false;
}

static struct vm_pin *find_at(const struct vm_pins *pins, const struct bus *bus, unsigned place)
{
	for (size_t i = 0; i < pins->n_devices; i++)
		if (pins->devices[i].place == place && str_after(pins->devices[i].key, bus->prefix))
			return &pins->devices[i];
	return NULL;
}

static int take_place(struct vm_pins *pins, const struct strv *keys, const struct bus *bus,
		      const char *key, struct vm_pin **ret_pin, struct error *err)
{
	struct vm_pin *pin = vm_pins_find(pins, key);

	if (pin && pin->place >= bus->first && pin->place <= bus->last) {
		*ret_pin = pin;
		return 0;
	}
	for (unsigned place = bus->first; place <= bus->last; place++)
		if (!find_at(pins, bus, place))
			return vm_pins_add(pins, key, place, ret_pin, err);
	for (unsigned place = bus->first; place <= bus->last; place++) {
		pin = find_at(pins, bus, place);
		if (!is_configured(keys, pin->key)) {
			char *copy = strdup(key);

			if (!copy)
				return error_oom(err);
			free(pin->key);
			pin->key = copy;
			pin->has_mac = false;
			*ret_pin = pin;
			return 0;
		}
	}
	return error_set(err, ENOSPC, "no place left on bus '%.*s' for '%s' (it has %u)",
			 (int)strlen(bus->prefix) - 1, bus->prefix, key,
			 bus->last - bus->first + 1);
}

static bool is_mac_taken(const struct spec_vm *vm, const struct vm_pins *pins,
			 const struct vm_pin *pin)
{
	for (size_t i = 0; i < pins->n_devices; i++) {
		const struct vm_pin *other = &pins->devices[i];

		if (other != pin && other->has_mac && memcmp(other->mac, pin->mac, 6) == 0)
			return true;
	}
	for (size_t i = 0; i < vm->n_nics; i++)
		if (vm->nics[i].mac_given && memcmp(vm->nics[i].mac, pin->mac, 6) == 0)
			return true;
	return false;
}

/* A given MAC is taken as it is. A derived one is kept, because it would change
 * with the NIC's index; for the same reason a new NIC may derive one that
 * another keeps, and then takes the next that is free. */
static void choose_mac(const struct spec_vm *vm, const struct vm_pins *pins,
		       const struct spec_nic *nic, struct vm_pin *pin)
{
	if (nic->mac_given || !pin->has_mac)
		memcpy(pin->mac, nic->mac, sizeof(pin->mac));
	if (!nic->mac_given && !pin->has_mac)
		for (unsigned i = 0; i < 255 && is_mac_taken(vm, pins, pin); i++)
			pin->mac[5]++;
	pin->has_mac = true;
}

static int assign_places(const struct spec_vm *vm, struct vm_pins *pins, const struct strv *keys,
			 struct hardware *hw, struct error *err)
{
	struct vm_pin *pin;
	size_t next = 0;
	int rc;

	for (size_t i = 0; i < vm->n_disks; i++) {
		rc = take_place(pins, keys, bus_of_disk(vm->disks[i].bus), keys->v[next++], &pin,
				err);
		if (rc < 0)
			return rc;
		hw->disks[i] = pin->place;
	}
	for (size_t i = 0; i < vm->n_cdroms; i++) {
		rc = take_place(pins, keys, &bus_sata, keys->v[next++], &pin, err);
		if (rc < 0)
			return rc;
		hw->cdroms[i] = pin->place;
	}
	for (size_t i = 0; i < vm->n_nics; i++) {
		const struct spec_nic *nic = &vm->nics[i];

		rc = take_place(pins, keys, &bus_pci, keys->v[next++], &pin, err);
		if (rc < 0)
			return rc;
		choose_mac(vm, pins, nic, pin);
		hw->nics[i].slot = pin->place;
		memcpy(hw->nics[i].mac, pin->mac, sizeof(pin->mac));
	}
	return 0;
}

static bool has_pin_on(const struct vm_pins *pins, const struct bus *bus)
{
	for (size_t i = 0; i < pins->n_devices; i++)
		if (str_after(pins->devices[i].key, bus->prefix))
			return true;
	return false;
}

void hardware_free(struct hardware *hw)
{
	free(hw->disks);
	free(hw->cdroms);
	free(hw->nics);
	*hw = (struct hardware){0};
}

int hardware_assign(const struct spec_vm *vm, bool kvm, struct vm_pins *pins,
		    struct hardware *ret_hw, struct error *err)
{
	cleanup_strv struct strv keys = {0};
	struct hardware hw = {0};
	int rc;

	collect_keys(vm, &keys);
	hw.disks = calloc(vm->n_disks + 1, sizeof(*hw.disks));
	hw.cdroms = calloc(vm->n_cdroms + 1, sizeof(*hw.cdroms));
	hw.nics = calloc(vm->n_nics + 1, sizeof(*hw.nics));
	if (keys.failed || !hw.disks || !hw.cdroms || !hw.nics)
		rc = error_oom(err);
	else
		rc = assign_places(vm, pins, &keys, &hw, err);
	if (rc < 0) {
		hardware_free(&hw);
		return rc;
	}
	hw.sata = !pins->lean || has_pin_on(pins, &bus_sata);
	hw.smbus = !pins->lean;
	hw.machine = vm->machine ? vm->machine : pins->machine ? pins->machine : "q35";
	hw.cpu = vm->cpu ? vm->cpu : pins->cpu ? pins->cpu : kvm ? "host" : "max";
	/* `host` only exists under KVM; a guest moved to TCG gets what is like it. */
	if (!kvm && !vm->cpu && str_eq(hw.cpu, "host"))
		hw.cpu = "max";
	*ret_hw = hw;
	return 0;
}

int hardware_pin_places(const struct spec_vm *vm, json_t *disks, json_t *cdroms, json_t *nics,
			struct vm_pins *pins, struct error *err)
{
	const struct {
		json_t *places;
		size_t n;
	} kinds[] = {{disks, vm->n_disks}, {cdroms, vm->n_cdroms}, {nics, vm->n_nics}};
	cleanup_strv struct strv keys = {0};
	size_t next = 0;

	collect_keys(vm, &keys);
	if (keys.failed)
		return error_oom(err);
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
		for (size_t i = 0; i < kinds[k].n; i++) {
			json_t *place = json_array_get(kinds[k].places, i);
			const char *key = keys.v[next++];
			struct vm_pin *pin;
			int rc;

			if (!json_is_integer(place) || vm_pins_find(pins, key))
				continue;
			rc = vm_pins_add(pins, key, (unsigned)json_integer_value(place), &pin, err);
			if (rc < 0)
				return rc;
		}
	return 0;
}
