# proof.mk - fuzzing of all that takes a stranger's bytes: make prove-fuzz
#
# Builds one program for each target with clang and its sanitizers, replays what was ever found, and
# runs 5 million executions in all. The long command, which goes on from run to run:
#	tests/fuzz/run --long --seconds 3600 [--jobs 2] [--corpus DIR] [TARGET...]
#	tests/fuzz/run --long --runs 100000000 ...
# A single input: build/fuzz/fuzz-TARGET FILE. What a long run has learned is kept for CI with
#	tests/fuzz/run --keep --corpus DIR TARGET...

FUZZ_TARGETS := frame mpcheck session pipeline admin config identity tls record lines http
FUZZ_CLANG   ?= clang
FUZZ_BUILD   := $(BUILD)/fuzz
FUZZ_SHARED  := tests/fuzz/fuzz.c

.PHONY: prove-fuzz fuzz-programs fuzz-link

prove-fuzz: fuzz-programs
	@tests/fuzz/run --build $(FUZZ_BUILD)

# Coverage is wanted in every object, and libFuzzer's main() in the targets alone: so everything is
# built again, in a directory of its own, by a make of its own. To trace comparisons costs half the
# speed; the words that they would find are in a dictionary.
fuzz-programs:
	+@$(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j2) fuzz-link BUILD=$(FUZZ_BUILD) CC='$(FUZZ_CLANG)' \
		SANITIZE=address,undefined,fuzzer-no-link CFLAGS='-O2 -g -fno-sanitize-coverage=trace-cmp'

fuzz-link: $(FUZZ_TARGETS:%=$(BUILD)/fuzz-%) $(BUILD)/fuzz-seeds $(BUILD)/fuzz-verdicts

FUZZ_OBJECTS := $(call objects,$(wildcard tests/fuzz/*.c))
-include $(FUZZ_OBJECTS:.o=.d)

# Beside the shared file, what a target needs that is in no room. What stands before rooms.a takes
# the place of the object in it with the same functions.
$(BUILD)/fuzz-frame: $(call objects,tests/fuzz/messages.c tests/fuzz/fold.c)
$(BUILD)/fuzz-tls $(BUILD)/fuzz-seeds: $(call objects,tests/fuzz/fixed.c)
$(BUILD)/fuzz-lines: $(call objects,$(filter-out %/main.c,$(TOOL) $(CTL)))
$(BUILD)/fuzz-session $(BUILD)/fuzz-admin: $(call objects,$(addprefix tests/fuzz/,wires.c house.c peers_say.c peers_hear.c))
$(BUILD)/fuzz-pipeline: $(call objects,$(filter-out %/main.c %/report.c,$(SIM)))

$(BUILD)/fuzz-frame: private LDFLAGS += -Wl,--wrap=core_note_refusal,--wrap=store_turn_is_ripe
$(BUILD)/fuzz-tls $(BUILD)/fuzz-seeds: private LDFLAGS += -Wl,--wrap=getrandom,--wrap=time
$(BUILD)/fuzz-pipeline: private LDFLAGS += -Wl,--wrap=rng_below,--wrap=mdb_put,--wrap=mdb_cursor_put,--wrap=mdb_txn_begin,--wrap=redo_size
$(BUILD)/obj/tests/fuzz/target_lines.o: private EXTRA := -I.
$(BUILD)/obj/tests/fuzz/target_pipeline.o: private EXTRA := -I.

$(FUZZ_TARGETS:%=$(BUILD)/fuzz-%): $(BUILD)/fuzz-%: $(BUILD)/obj/tests/fuzz/target_%.o \
		$(call objects,$(FUZZ_SHARED)) $(BUILD)/rooms.a
	$(call say,LINK) $(LINK) -fsanitize=fuzzer -o $@ $(filter %.o,$^) $(filter %.a,$^) $(MSGPACK_LIBS) $(LIBS)

$(BUILD)/fuzz-seeds $(BUILD)/fuzz-verdicts: $(BUILD)/fuzz-%: $(BUILD)/obj/tests/fuzz/%.o \
		$(BUILD)/rooms.a
	$(call say,LINK) $(LINK) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS)
