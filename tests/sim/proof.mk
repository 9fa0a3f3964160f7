# proof.mk - the simulator, a model beside the store, and what of the core all that takes
#
#	make prove-sim				as in CI: some two minutes on two cores
#	build/sim --seeds 50000 --jobs 2	a long run of the simulator (--from M goes on elsewhere)
#	build/store-model --steps 50000000	a long run of store and model
#
# SIM_SEEDS, SIM_STEPS, SIM_JOBS change how much is run. The seeds run in a build of their own, in
# which src/core and src/store count their branches; then every line and branch of src/core was
# taken, or stands in uncovered.list with the reason why not.

SIM_SEEDS ?= 5000
SIM_STEPS ?= 1000000
SIM_JOBS  ?= $(shell nproc)
SIM_BUILD ?= $(BUILD)/coverage

STORE_MODEL := $(wildcard tests/sim/store/*.c) tests/sim/disk.c

$(BUILD)/store-model: $(call objects,$(STORE_MODEL)) $(BUILD)/rooms.a
	$(call say,LINK) $(LINK) -pie -o $@ $^ $(LIBS)

# disk.c stands between the store and LMDB.
$(BUILD)/sim $(BUILD)/store-model: private LDFLAGS += \
	-Wl,--wrap=mdb_put,--wrap=mdb_cursor_put,--wrap=mdb_txn_begin,--wrap=redo_size

ifdef COUNT_BRANCHES
$(call objects,$(CORE) $(STORE)): private EXTRA := -fvisibility=hidden -O0 --coverage
LDFLAGS += --coverage
endif

# What earlier runs counted is forgotten: the list is held against this one.
prove-sim:
	+@$(MAKE) --no-print-directory BUILD=$(SIM_BUILD) COUNT_BRANCHES=1 CFLAGS='-O2 -g' \
		$(SIM_BUILD)/sim $(SIM_BUILD)/store-model
	@find $(SIM_BUILD)/obj/src -name '*.gcda' -delete
	@failed=0; \
	$(SIM_BUILD)/store-model --steps $(SIM_STEPS) || failed=1; \
	$(SIM_BUILD)/sim --storm || failed=1; \
	$(SIM_BUILD)/sim --seeds $(SIM_SEEDS) --jobs $(SIM_JOBS) || failed=1; \
	tests/sim/coverage $(SIM_BUILD) src/core tests/sim/uncovered.list || failed=1; \
	exit $$failed

-include $(patsubst %.o,%.d,$(call objects,$(STORE_MODEL)))
.PHONY: prove-sim
