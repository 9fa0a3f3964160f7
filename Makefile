# Makefile - make, make check, make check-san, make lint, make install, make uninstall, make dist
#
# Run tools/setup once before: it installs the libraries and builds mbedTLS into build/deps.
# Variables: CC CFLAGS LDFLAGS PREFIX DESTDIR, BUILD (where results go), SEEDS (of the simulator),
# V=1 (show the commands). Results of one BUILD never mix compilers or flags.

CFLAGS  ?= -O2 -g
PREFIX  ?= /usr/local
BUILD   ?= build
DEPS    ?= build/deps
SEEDS   ?= 100
VERSION := $(shell sed -n 's/^.define HANDOFF_VERSION "\(.*\)"/\1/p' src/base/version.h)

# --- What there is -----------------------------------------------------------------------------

BASE    := $(wildcard src/base/*.c)
WIRE    := $(wildcard src/wire/*.c)
STORE   := $(wildcard src/store/*.c)
NET     := $(wildcard src/net/*.c)
CORE    := $(wildcard src/core/*.c)
SESSION := $(wildcard src/session/*.c)
ADMIN   := $(wildcard src/admin/*.c)
HTTP    := $(wildcard src/http/*.c)
SERVER  := $(wildcard src/server/*.c)
CLIENT  := $(wildcard src/client/*.c)
MAIN    := $(wildcard src/main.c)
TOOL    := $(wildcard tools/handoff/*.c)
CTL     := $(wildcard tools/handoffctl/*.c)
HEADERS := $(wildcard include/handoff/*.h)
MANUALS := $(wildcard man/*.[1-8])

# These know the event loop: the broker's alone.
NET_LOOP := $(addprefix src/net/,handshake.c listener.c local.c watcher.c)
LIBRARY := $(BASE) $(WIRE) $(filter-out $(NET_LOOP),$(NET)) $(CLIENT)
ROOMS   := $(BASE) $(WIRE) $(STORE) $(NET) $(CORE) $(SESSION) $(ADMIN) $(HTTP) $(SERVER) $(CLIENT)

UNITS   := $(wildcard tests/unit/*/test_*.c tests/deps/test_*.c)
HELPERS := $(filter-out $(UNITS),$(wildcard tests/unit/*/*.c tests/deps/*.c))
SIM     := $(wildcard tests/sim/*.c)
BENCH   := $(filter-out tests/bench/allocations.c,$(wildcard tests/bench/*.c))
FILL    := tests/bench/fill/fill.c tests/quiet_peers.c
CLIB    := $(wildcard tests/system/clib/*.c)

PROGRAMS  := $(if $(MAIN),$(BUILD)/handoffd) $(if $(TOOL),$(BUILD)/handoff) $(if $(CTL),$(BUILD)/handoffctl)
LIBRARIES := $(if $(CLIENT),$(addprefix $(BUILD)/,libhandoff.a libhandoff.so handoff.pc))
TESTS     := $(UNITS:%.c=$(BUILD)/%)

all: $(PROGRAMS) $(LIBRARIES)

# --- How it is compiled ------------------------------------------------------------------------

WARNINGS  := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror
HARDENING := -fstack-protector-strong -fstack-clash-protection -fcf-protection \
	     -ftrivial-auto-var-init=zero
ifdef SANITIZE
SAFETY := -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
else
# What this compiler, on this processor, does not know is left out.
SAFETY := $(foreach flag,$(HARDENING),$(shell \
	$(CC) -Werror $(flag) -c -x c -o /dev/null /dev/null 2>/dev/null && echo $(flag)))
SAFETY += $(if $(findstring -O0,$(CFLAGS)),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
endif

# The tests' second opinion, asked for where it is linked; Debian 12 and 13 name it differently.
MSGPACK       = $(shell pkg-config --exists msgpack-c && echo msgpack-c || echo msgpack)
MSGPACK_LIBS  = $(shell pkg-config --libs $(MSGPACK))
TLS_LIBS     := -L$(DEPS)/lib -lmbedtls -lmbedx509 -lmbedcrypto
LIBS         := $(TLS_LIBS) -lgcrypt -lev -llmdb -lconfuse -lseccomp

COMPILE  = $(CC) -std=c11 -D_GNU_SOURCE -Isrc -Iinclude -isystem $(DEPS)/include $(CPPFLAGS) \
	   $(WARNINGS) $(SAFETY) -fPIC -ffunction-sections -fdata-sections $(CFLAGS)
LINK     = $(CC) $(SAFETY) -Wl,-z,relro,-z,now,-z,noexecstack,--gc-sections,--as-needed $(LDFLAGS)
say      = $(if $(V),,@echo '  $(1)	$@' &&)
objects  = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC) $(COMPILE) $(EXTRA) -MMD -MP -c -o $@ $<

# Outside libhandoff.so nothing is visible but what src/client/libhandoff.map names.
$(call objects,$(ROOMS)): private EXTRA := -fvisibility=hidden
$(call objects,$(CLIENT)): private EXTRA :=
$(call objects,$(TOOL) $(CTL) $(wildcard tests/unit/tools/*.c)): private EXTRA := -I.
$(call objects,$(wildcard tests/deps/stock_*.c)): private EXTRA := \
	-DHANDOFF_STOCK_GCM -include tools/deps/stock_names.h

# Changes when the compiler, its flags or mbedTLS do; then everything is compiled again.
$(BUILD)/flags: always | $(DEPS)/.made-from
	@mkdir -p $(@D)
	@echo '$(COMPILE)' | cat - $(DEPS)/.made-from >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$(DEPS)/.made-from: tools/deps/mbedtls $(wildcard tools/deps/*.[ch])
	@echo '$(DEPS) is missing, or older than tools/deps: run tools/setup' >&2; false

-include $(patsubst %.o,%.d,$(call objects,$(MAIN) $(ROOMS) $(TOOL) $(CTL) $(UNITS) $(HELPERS) $(SIM) \
	$(BENCH) $(FILL) $(CLIB)))

# --- What comes of it --------------------------------------------------------------------------

$(BUILD)/rooms.a: $(call objects,$(ROOMS))
	@rm -f $@
	$(call say,AR) $(AR) rcs $@ $^

$(BUILD)/handoffd: $(call objects,$(MAIN)) $(BUILD)/rooms.a
$(BUILD)/handoff:  $(call objects,$(TOOL)) $(BUILD)/rooms.a
$(BUILD)/handoffctl: $(call objects,$(CTL)) $(BUILD)/rooms.a
$(BUILD)/sim:      $(call objects,$(SIM)) $(BUILD)/rooms.a
$(BUILD)/bench:    $(call objects,$(BENCH)) $(BUILD)/rooms.a
$(BUILD)/fill:     $(call objects,$(FILL)) $(BUILD)/rooms.a
$(BUILD)/handoffd $(BUILD)/handoff $(BUILD)/handoffctl $(BUILD)/sim $(BUILD)/bench $(BUILD)/fill:
	$(call say,LINK) $(LINK) -pie -o $@ $^ $(LIBS)

# Preloaded into the broker; the heap under it is counted.
$(BUILD)/allocations.so: tests/bench/allocations.c $(BUILD)/flags
	$(call say,LINK) $(COMPILE) -shared -o $@ $<

$(BUILD)/libhandoff.so: src/client/libhandoff.map $(call objects,$(LIBRARY))
	$(call say,LINK) $(LINK) -shared -Wl,-soname,libhandoff.so.0,--version-script=$< \
		-Wl,--exclude-libs,ALL $(if $(SANITIZE),,-Wl,-z,defs) \
		-o $@ $(filter %.o,$^) $(TLS_LIBS) -lgcrypt

# A single object with mbedTLS inside, in which only the interface is visible.
$(BUILD)/libhandoff.a: $(call objects,$(LIBRARY))
	@rm -f $@
	$(call say,AR) $(LD) -r -o $(@:.a=.o) $^ $(TLS_LIBS) \
		&& objcopy --wildcard --keep-global-symbol='handoff_*' $(@:.a=.o) \
		&& $(AR) rcs $@ $(@:.a=.o)

# Made each time: PREFIX may differ.
$(BUILD)/handoff.pc: always
	@mkdir -p $(@D)
	@printf '%s\n' 'prefix=$(PREFIX)' 'includedir=$${prefix}/include' 'libdir=$${prefix}/lib' '' \
		'Name: handoff' 'Description: client library of the handoff batch broker' \
		'Version: $(VERSION)' 'Cflags: -I$${includedir}' 'Libs: -L$${libdir} -lhandoff' \
		'Libs.private: -lgcrypt' >$@

# --- Tests -------------------------------------------------------------------------------------

$(TESTS): $(BUILD)/%: $(BUILD)/obj/%.o $(call objects,$(HELPERS)) $(BUILD)/rooms.a
	@mkdir -p $(@D)
	$(call say,LINK) $(LINK) -pie -o $@ $(filter %.o,$^) $(filter %.a,$^) -lcmocka \
		-L$(DEPS)/lib -lstockgcm $(MSGPACK_LIBS) $(LIBS)
# The command's parts, without its main().
$(filter $(BUILD)/tests/unit/tools/%,$(TESTS)): \
	$(call objects,$(filter-out %/main.c,$(TOOL) $(CTL)))

tests: $(TESTS) $(if $(SIM),$(BUILD)/sim) $(BUILD)/bench $(BUILD)/allocations.so

# All of them run, one after the other, even when one fails; each counts its tests at its end.
check: all tests
	+@failed=0; for part in $(PARTS); do \
		$(MAKE) --no-print-directory check-$$part || failed=1; \
	done; exit $$failed
# The last two look at what is delivered: not at something with sanitizers in it.
PARTS := unit $(if $(SIM),sim) $(if $(MAIN),system $(if $(SANITIZE),,budget install))

check-unit: $(TESTS)
	@tests/unit/run $^
check-sim: $(BUILD)/sim
	$(BUILD)/sim --seeds $(SEEDS)
# Modules that use libhandoff as anybody would.
$(CLIB:%.c=$(BUILD)/%): $(BUILD)/%: $(BUILD)/obj/%.o $(BUILD)/libhandoff.a
	@mkdir -p $(@D)
	$(call say,LINK) $(LINK) -pie -o $@ $^ -lgcrypt
check-system: $(PROGRAMS) $(CLIB:%.c=$(BUILD)/%)
	HANDOFFD=$(abspath $(BUILD)/handoffd) HANDOFF=$(abspath $(BUILD)/handoff) \
		HANDOFFCTL=$(abspath $(BUILD)/handoffctl) tests/system/run
# What one handoff costs, counted; and how fast it is here, which nothing checks.
check-budget bench: $(BUILD)/handoffd $(BUILD)/bench $(BUILD)/allocations.so
	HANDOFFD=$(abspath $(BUILD)/handoffd) HANDOFF_BENCH=$(abspath $(BUILD)/bench) \
		tests/bench/$(if $(filter bench,$@),run,budget)
check-install: all
	+@tests/install/run $(BUILD)

# The same tests, with the sanitizers for addresses and undefined behaviour.
check-san:
	+@$(MAKE) --no-print-directory check BUILD=$(BUILD)/san SANITIZE=address,undefined \
		CFLAGS='-O1 -g' HANDOFF_TEST_PATIENCE=3

# What proves more than these tests do is built and run by a fragment beside it: tests/PROOF.md.
include $(wildcard tests/*/proof.mk)

# --- Static analysis ---------------------------------------------------------------------------

ANALYSED := $(MAIN) $(ROOMS) $(TOOL) $(CTL)

lint: lint-rooms lint-shell lint-man lint-cppcheck lint-gcc lint-tidy

lint-rooms:
	@tools/lint/rooms $(wildcard src/*.c src/*/*.[ch] include/*/*.h tools/handoff/*.[ch] \
		tools/handoffctl/*.[ch])

lint-shell:
	@shellcheck $(shell grep -lsrE -m 1 '^#!/bin/(ba)?sh' tools tests .ci) tools/completion/*.bash

lint-man:
	@mandoc -T lint -W warning $(MANUALS)

# Variables without a value: gcc and clang look for them, and understand loops.
lint-cppcheck:
	@mkdir -p $(BUILD)/cppcheck
	@cppcheck -q -j2 --std=c11 --enable=warning,performance,portability --inline-suppr \
		--suppress=uninitvar --suppress=legacyUninitvar --suppress=ctuuninitvar \
		--suppress=preprocessorErrorDirective --library=tools/lint/cppcheck.cfg \
		-Isrc -Iinclude -I. --cppcheck-build-dir=$(BUILD)/cppcheck --error-exitcode=1 $(ANALYSED)

# Leaks are left to LeakSanitizer: gcc 12 sees one in each HASH_ADD of uthash.
lint-gcc:
	+@$(MAKE) objects CC=gcc BUILD=$(BUILD)/analyse \
		CFLAGS='-O1 -fanalyzer -Wno-analyzer-malloc-leak'

lint-tidy: $(patsubst %.c,$(BUILD)/tidy/%,$(ANALYSED))
$(BUILD)/tidy/%: %.c .clang-tidy $(wildcard src/*/*.h include/*/*.h tools/handoff/*.h \
		tools/handoffctl/*.h)
	@mkdir -p $(@D)
	$(call say,TIDY) clang-tidy --quiet $< -- -std=c11 -D_GNU_SOURCE -Isrc -Iinclude -I. \
		-isystem $(DEPS)/include 2>/dev/null && touch $@

objects: $(call objects,$(ANALYSED))

# --- Installing --------------------------------------------------------------------------------

TO := $(DESTDIR)$(PREFIX)

install: all
	install -d $(TO)/bin $(TO)/sbin $(TO)/lib/pkgconfig $(TO)/include/handoff $(TO)/share/handoff
	install -m 755 $(BUILD)/handoffd $(BUILD)/handoffctl $(TO)/sbin
	install -m 755 $(BUILD)/handoff $(TO)/bin
	install -m 644 $(BUILD)/libhandoff.a $(TO)/lib
	install -m 755 $(BUILD)/libhandoff.so $(TO)/lib/libhandoff.so.0
	ln -sf libhandoff.so.0 $(TO)/lib/libhandoff.so
	install -m 644 $(BUILD)/handoff.pc $(TO)/lib/pkgconfig
	install -m 644 $(HEADERS) $(TO)/include/handoff
	install -m 644 conf/handoffd.conf conf/alerts.yml $(TO)/share/handoff
	install -D -m 644 conf/handoffd.service $(TO)/lib/systemd/system/handoffd.service
	for program in handoff handoffctl; do \
		install -D -m 644 tools/completion/$$program.bash \
			$(TO)/share/bash-completion/completions/$$program || exit 1; \
	done
	for page in $(MANUALS); do \
		install -D -m 644 $$page $(TO)/share/man/man$${page##*.}/$${page##*/} || exit 1; \
	done

uninstall:
	rm -f $(TO)/lib/systemd/system/handoffd.service \
		$(TO)/share/bash-completion/completions/handoff \
		$(TO)/share/bash-completion/completions/handoffctl
	rm -f $(TO)/sbin/handoffd $(TO)/sbin/handoffctl $(TO)/bin/handoff $(TO)/lib/libhandoff.a $(TO)/lib/libhandoff.so \
		$(TO)/lib/libhandoff.so.0 $(TO)/lib/pkgconfig/handoff.pc \
		$(foreach n,1 3 5 7 8,$(patsubst man/%,$(TO)/share/man/man$(n)/%,$(wildcard man/*.$(n))))
	rm -rf $(TO)/include/handoff $(TO)/share/handoff

dist:
	@mkdir -p $(BUILD)
	git archive --prefix=handoff-$(VERSION)/ -o $(BUILD)/handoff-$(VERSION).tar.gz HEAD
	@echo $(BUILD)/handoff-$(VERSION).tar.gz

# build/deps stays: it does not depend on anything here, and takes the network to make again.
clean:
	test ! -d $(BUILD) || find $(BUILD) -mindepth 1 -maxdepth 1 ! -name deps -exec rm -rf {} +

.PHONY: all always objects tests bench check check-unit check-sim check-system check-budget \
	check-install check-san install uninstall dist clean lint lint-rooms lint-shell lint-man \
	lint-cppcheck lint-gcc lint-tidy
.DELETE_ON_ERROR:
.SECONDARY:
