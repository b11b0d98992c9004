# The build of gradd. `make help` lists the targets.
#
#   make                  build/gradd (a link to the release build)
#   make VARIANT=asan     build/asan/gradd; the variants are release, debug, asan, tsan, coverage
#   make CC=clang         build/release-clang/gradd, and build/gradd links to it
#   make BUILD=/tmp/me    everything that is made goes to /tmp/me instead of build
#
# Sources are found by wildcard: one static archive a folder, main.c and cmd_*.c on top. What was compiled with other
# flags, or archived from another list of objects, is made again.

GRADD_VERSION := 0.1.0

MAKEFLAGS += --no-builtin-rules --no-print-directory
SHELL := /bin/bash
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all

# ---------------------------------------------------------------- the folders and the arrows between them

# In link order: a folder stands before all that it knows.
FOLDERS := api work query train store data engine autodiff graph base

# KNOWS_x: what x may include, beside what those may include. Linking of unit tests and `make layers` both read this.
KNOWS_base :=
KNOWS_graph := base
KNOWS_autodiff := graph
KNOWS_engine := graph
KNOWS_data := base
KNOWS_store := base
KNOWS_train := autodiff engine data
KNOWS_query := autodiff engine data store
KNOWS_work := train query store
KNOWS_api := work query data store

# LIBS_x: the libraries that x calls.
LIBS_api := -lmicrohttpd -ljansson
LIBS_store := -lsqlite3
# Of LIBXSMM the generator of machine code, where it is installed: it makes code for x86-64 only.
XSMM := $(wildcard /usr/include/libxsmm.h)
LIBS_engine := $(if $(XSMM),-lxsmmgen)
LIBS_base := -lnettle -lpthread -lm

# $(call with_known,x): x and all that it may know, in link order.
reach = $(1) $(foreach f,$(KNOWS_$(1)),$(call reach,$(f)))
with_known = $(filter $(call reach,$(1)),$(FOLDERS))
folder_dir = $(if $(filter api,$(1)),api,src/$(1))

# ---------------------------------------------------------------- compiler, variant, flags

ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(origin AR),default)
AR := ar
endif
PYTHON := /usr/bin/python3

BUILD ?= build
VARIANT ?= release
COMPILER := $(notdir $(firstword $(CC)))
OUT := $(BUILD)/$(VARIANT)$(if $(filter-out gcc,$(COMPILER)),-$(COMPILER))
GEN := $(BUILD)/gen
ARCH := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine 2>/dev/null || uname -m)))

HARDEN := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
VARIANT_release := -O2 $(HARDEN)
VARIANT_debug := -Og $(HARDEN)
VARIANT_asan := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
VARIANT_tsan := -O1 -fno-omit-frame-pointer -fsanitize=thread
VARIANT_coverage := -O0 --coverage
ifeq ($(VARIANT_$(VARIANT)),)
$(error VARIANT is $(VARIANT); it must be release, debug, asan, tsan or coverage)
endif
SANITIZE := $(filter -fsanitize=% --coverage,$(VARIANT_$(VARIANT)))

WARN := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror
CPP_FLAGS := -D_GNU_SOURCE -I. -Isrc -I$(GEN) $(CPPFLAGS)
C_FLAGS := -std=c17 -g $(VARIANT_$(VARIANT)) -fPIE -fstack-protector-strong -fno-math-errno $(WARN) $(CFLAGS) \
	-ffp-contract=off
LD_FLAGS := $(SANITIZE) -pie -Wl,-z,relro,-z,now -Wl,-z,noexecstack $(LDFLAGS)
TEST_FLAGS := -Itests/unit

# The kernels alone are compiled once for each instruction set, and chosen between at run time.
ISAS_x86_64 := baseline avx2 avx512
ISAS_aarch64 := neon
ISAS := $(or $(ISAS_$(ARCH)),baseline)
ISA_avx2 := -mavx2 -mfma
ISA_avx512 := -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma -mprefer-vector-width=512
KERNEL_FLAGS := $(if $(filter release,$(VARIANT)),-O3) $(if $(SANITIZE),-fno-var-tracking) -fno-trapping-math -Wno-psabi

# ---------------------------------------------------------------- stamps: a file whose text is what a result was made from

# $(call stale,file,text): FORCE when the file's text is another one, so that whatever depends on the file is made again.
same = $(and $(findstring x$(1)x,x$(2)x),$(findstring x$(2)x,x$(1)x))
stale = $(if $(call same,$(strip $(file <$(1))),$(strip $(2))),,FORCE)
write_stamp = @mkdir -p $(@D) && printf '%s\n' '$(strip $(1))' > $@

FLAGS_TEXT := $(strip $(CC) $(CPP_FLAGS) $(C_FLAGS) $(LD_FLAGS) $(KERNEL_FLAGS) $(foreach i,$(ISAS),$(ISA_$(i))) $(TEST_FLAGS))
$(OUT)/flags: $(call stale,$(OUT)/flags,$(FLAGS_TEXT))
	$(call write_stamp,$(FLAGS_TEXT))

VERSION_TEXT := \#define GRADD_VERSION "$(GRADD_VERSION)"
$(GEN)/version.h: $(call stale,$(GEN)/version.h,$(VERSION_TEXT))
	$(call write_stamp,$(VERSION_TEXT))

# ---------------------------------------------------------------- generated sources

MIGRATIONS := $(sort $(wildcard migrations/*.sql))
OPENAPI := $(wildcard api/openapi.yaml)

$(GEN)/migrations.list: $(call stale,$(GEN)/migrations.list,$(MIGRATIONS))
	$(call write_stamp,$(MIGRATIONS))

$(GEN)/migrations.c: $(MIGRATIONS) $(GEN)/migrations.list .ci/embed
	$(PYTHON) .ci/embed migrations $@ $(MIGRATIONS)

$(GEN)/openapi.c: $(OPENAPI) .ci/embed
	@mkdir -p $(@D)
	$(PYTHON) .ci/embed openapi $@ $(OPENAPI)

$(GEN)/powers.c: .ci/powers
	@mkdir -p $(@D)
	$(PYTHON) .ci/powers $@

GENERATED_base := powers
GENERATED_store := $(if $(MIGRATIONS),migrations)
GENERATED_api := $(if $(OPENAPI),openapi)

# ---------------------------------------------------------------- objects and archives

KERNELS := $(wildcard src/engine/kernels_*.c)
obj = $(patsubst %.c,$(OUT)/obj/%.o,$(1))
folder_objects = $(call obj,$(filter-out $(KERNELS),$(wildcard $(call folder_dir,$(1))/*.c))) \
	$(foreach g,$(GENERATED_$(1)),$(OUT)/obj/gen/$(g).o) \
	$(if $(filter engine,$(1)),$(foreach i,$(ISAS),$(KERNELS:%.c=$(OUT)/obj/%.$(i).o)))
archive = $(if $(strip $(call folder_objects,$(1))),$(OUT)/lib$(1).a)
known_archives = $(foreach f,$(call with_known,$(1)),$(call archive,$(f)))
known_libs = $(foreach f,$(call with_known,$(1)),$(LIBS_$(f)))

COMPILE = @mkdir -p $(@D) && echo 'CC $@' && $(CC) $(CPP_FLAGS) $(C_FLAGS)

$(OUT)/obj/%.o: %.c $(OUT)/flags | $(GEN)/version.h
	$(COMPILE) -MMD -MP -c -o $@ $<

$(OUT)/obj/gen/%.o: $(GEN)/%.c $(OUT)/flags
	$(COMPILE) -MMD -MP -c -o $@ $<

$(OUT)/obj/tests/%.o: tests/%.c $(OUT)/flags | $(GEN)/version.h
	$(COMPILE) $(TEST_FLAGS) -MMD -MP -c -o $@ $<

define kernel_rule
$(KERNELS:%.c=$(OUT)/obj/%.$(1).o): $(OUT)/obj/%.$(1).o: %.c $(OUT)/flags
	$$(COMPILE) $(KERNEL_FLAGS) $(ISA_$(1)) -DISA=$(1) -MMD -MP -c -o $$@ $$<
endef
$(foreach i,$(ISAS),$(if $(KERNELS),$(eval $(call kernel_rule,$(i)))))

# $(call archive_rule,name,objects)
define archive_rule
$(OUT)/lib$(1).list: $$(call stale,$(OUT)/lib$(1).list,$(2))
	$$(call write_stamp,$(2))

$(OUT)/lib$(1).a: $(2) $(OUT)/lib$(1).list
	@echo 'AR $$@' && rm -f $$@ && $$(AR) rcsD $$@ $(2)

.PHONY: lib-$(1)
lib-$(1): $(OUT)/lib$(1).a
endef
$(foreach f,$(FOLDERS),$(if $(call archive,$(f)),$(eval $(call archive_rule,$(f),$(strip $(call folder_objects,$(f)))))))

# ---------------------------------------------------------------- the binary

PROGRAM_OBJECTS := $(call obj,$(wildcard src/*.c))
ALL_ARCHIVES := $(foreach f,$(FOLDERS),$(call archive,$(f)))
ALL_LIBS := $(foreach f,$(FOLDERS),$(LIBS_$(f)))

$(OUT)/gradd: $(PROGRAM_OBJECTS) $(ALL_ARCHIVES)
	@echo 'LD $@' && $(CC) $(C_FLAGS) $(LD_FLAGS) -o $@ $(PROGRAM_OBJECTS) $(ALL_ARCHIVES) $(ALL_LIBS)

LINK_TEXT := $(patsubst $(BUILD)/%,%,$(OUT))/gradd
$(BUILD)/gradd: $(OUT)/gradd $(if $(call same,$(shell readlink $(BUILD)/gradd),$(LINK_TEXT)),,FORCE)
	@ln -sfn $(LINK_TEXT) $@

.PHONY: all
all: $(if $(filter release,$(VARIANT)),$(BUILD)/gradd,$(OUT)/gradd) ## build build/gradd (or build/VARIANT/gradd)

PREFIX ?= /usr/local
.PHONY: install
install: $(OUT)/gradd ## install the binary to DESTDIR/PREFIX/bin
	install -D -s -m 755 $< $(DESTDIR)$(PREFIX)/bin/gradd

.PHONY: clean
clean: ## remove everything that was built
	rm -rf $(BUILD)

# ---------------------------------------------------------------- test programs

# Shared helpers are an archive, so that a test takes only what it calls. A test program is linked with the archives that
# its folder may know and no others: a folder that does not compile stops only those who know it.
SUPPORT_OBJECTS := $(call obj,$(wildcard tests/unit/support/*.c))
SUPPORT := $(if $(SUPPORT_OBJECTS),$(OUT)/libsupport.a)
$(if $(SUPPORT),$(eval $(call archive_rule,support,$(SUPPORT_OBJECTS))))

programs_in = $(patsubst %.c,$(OUT)/%,$(wildcard $(1)/test_*.c))
helpers_in = $(call obj,$(filter-out $(wildcard $(1)/test_*.c),$(wildcard $(1)/*.c)))

# $(call test_rule,directory,archives,libraries): links each test_*.c of a directory with its other .c files.
define test_rule
$(call programs_in,$(1)): $(OUT)/%: $(OUT)/obj/%.o $(call helpers_in,$(1)) $(SUPPORT) $(2)
	@mkdir -p $$(@D) && echo 'LD $$@' && \
	$$(CC) $$(C_FLAGS) $$(LD_FLAGS) -o $$@ $$< $(call helpers_in,$(1)) $(SUPPORT) $(2) -lcmocka $(3) -lm
endef
unit_dir = tests/unit/$(1)
unit_rule = $(call test_rule,$(unit_dir),$(known_archives),$(known_libs))
$(foreach f,$(FOLDERS),$(if $(call programs_in,tests/unit/$(f)),$(eval $(call unit_rule,$(f)))))

# These count what they ask of the allocator and of locks: tests/unit/support/counted.h.
COUNTED := malloc calloc realloc reallocarray aligned_alloc free pthread_mutex_lock pthread_rwlock_rdlock \
	pthread_rwlock_wrlock
$(OUT)/tests/unit/train/test_frugal: LD_FLAGS += $(COUNTED:%=-Wl,--wrap=%)

UNIT_PROGRAMS := $(foreach f,$(FOLDERS),$(call programs_in,tests/unit/$(f)))

# Cases of ops as text: the calculus and the engine side by side, which no folder below train may know.
OPS_FOLDERS := autodiff engine graph base
OPS_PROGRAMS := $(call programs_in,tests/ops)
$(if $(OPS_PROGRAMS),$(eval $(call test_rule,tests/ops,$(foreach f,$(OPS_FOLDERS),$(call archive,$(f))),$(foreach f,$(OPS_FOLDERS),$(LIBS_$(f))))))

# Mutants of derivative rules: the linker sends the calls that append nodes through tests/mutate/sites.c. Without
# optimisation every call in a rule has a return address of its own.
MUTATE := $(OUT)/tests/mutate/mutate
MUTATE_OBJECTS := $(call obj,$(wildcard tests/mutate/*.c)) $(call helpers_in,tests/ops)
MUTATE_ARCHIVES := $(foreach f,$(OPS_FOLDERS),$(call archive,$(f)))
MUTATE_WRAP := -Wl,--wrap=graph_add,--wrap=rule_apply,--wrap=compose
$(call obj,$(wildcard tests/mutate/*.c)): TEST_FLAGS += -Itests/ops
$(MUTATE): $(MUTATE_OBJECTS) $(SUPPORT) $(MUTATE_ARCHIVES)
	@mkdir -p $(@D) && echo 'LD $@' && \
	$(CC) $(C_FLAGS) $(LD_FLAGS) $(MUTATE_WRAP) -o $@ $(MUTATE_OBJECTS) $(SUPPORT) $(MUTATE_ARCHIVES) -lcmocka $(LIBS_engine) $(LIBS_base) -lm

.PHONY: run-mutate
run-mutate: $(MUTATE)
	@tests/mutate/mutate.py $<

# The benchmarks may use any folder, and LIBXSMM where it is installed; OpenBLAS and PyTorch are looked for when they run.
BENCH_PROGRAM := $(OUT)/tests/bench/bench_train
BENCH_OBJECTS := $(call obj,$(wildcard tests/bench/*.c))
# The whole library stands before its generator, which is a part of it.
BENCH_LIBS := $(if $(XSMM),-lxsmm -lxsmmnoblas) -ldl
$(BENCH_PROGRAM): $(BENCH_OBJECTS) $(ALL_ARCHIVES)
	@mkdir -p $(@D) && echo 'LD $@' && $(CC) $(C_FLAGS) $(LD_FLAGS) -o $@ $^ $(BENCH_LIBS) $(ALL_LIBS) -lm

# The errors of the elementary functions, and numbers as text, over many more arguments than the unit tests take.
SWEEP := $(OUT)/tests/accuracy/sweep
NUMBERS := $(OUT)/tests/accuracy/numbers
$(SWEEP) $(NUMBERS): $(OUT)/%: $(OUT)/obj/%.o $(call archive,base)
	@mkdir -p $(@D) && echo 'LD $@' && $(CC) $(C_FLAGS) $(LD_FLAGS) -o $@ $^ $(LIBS_base)

.PHONY: sweep
sweep: $(SWEEP) ## worst errors of the elementary functions: JSON lines; STEP=1 takes every float32, for days
	@$< $(STEP)

.PHONY: sweep-numbers
sweep-numbers: $(NUMBERS) ## numbers to text and back against the C library: COUNT random ones of each kind
	@$< $(COUNT)

# A library that is loaded before a server's others, and sets its clock to another time.
SHIFTED_CLOCK := $(OUT)/tests/clock/shift.so
$(SHIFTED_CLOCK): tests/clock/shift.c $(OUT)/flags
	@mkdir -p $(@D) && echo 'LD $@' && $(CC) $(CPP_FLAGS) -std=c17 -O2 -fPIC -shared $(WARN) -o $@ $<

# Tests run under the sanitizers unless a variant was asked for.
CHECK_VARIANT := $(if $(filter file,$(origin VARIANT)),asan,$(VARIANT))
CHECK := +@$(MAKE) VARIANT=$(CHECK_VARIANT)

.PHONY: run-unit run-ops $(FOLDERS:%=run-unit-%) $(FOLDERS:%=unit-%)
run-unit: $(UNIT_PROGRAMS)
	@.ci/unit $(UNIT_PROGRAMS)
run-ops: $(OPS_PROGRAMS)
	@.ci/unit $(OPS_PROGRAMS)
$(foreach f,$(FOLDERS),$(eval run-unit-$(f): $(call programs_in,tests/unit/$(f)); @.ci/unit $$^))
$(FOLDERS:%=unit-%):
	$(CHECK) run-$@

# ---------------------------------------------------------------- targets for tests

TESTS := test-unit test-ops test-api test-crash layers test-docker
MORE_TESTS := test-programs test-mutate test-tsan test-clang test-isa-baseline test-isa-avx2

.PHONY: test test-all ci test-unit test-ops test-programs test-mutate ops-table test-api test-crash test-docker test-tsan test-clang demo bench coverage
test: ## install what is missing; unit, ops, API, a short crash run, layers, Docker; what is skipped is named, with the reason
	@.ci/install build run test demo
	+@.ci/test $(TESTS)

test-all: ## make test, and all of the longer tests
	+@.ci/test $(TESTS) $(MORE_TESTS)

ci: ## lint and make test-all, as .ci/run does after it has installed what is missing
	+@.ci/test lint $(TESTS) $(MORE_TESTS)

test-unit: ## the unit tests, under ASan and UBSan; make unit-FOLDER runs those of one folder
	$(CHECK) run-unit

test-ops: ## the cases of ops, under ASan and UBSan
	$(CHECK) run-ops

ops-table: $(OUT)/tests/ops/test_ops ## the worst error of each op, against PyTorch and central differences
	@$< --table 2> /dev/null | sed -n '/^worst error/,$$p'

test-programs: ## many random programs, computed in every way that must give the same bits
	+@GRADD_PROGRAMS=15000 $(MAKE) VARIANT=release run-programs

.PHONY: run-programs
run-programs: $(OUT)/tests/ops/test_programs
	@.ci/unit $^

test-mutate: ## mutants of every derivative rule and composite; each must be killed by the cases of ops
	+@$(MAKE) CC=gcc VARIANT=debug run-mutate

test-api: all $(SHIFTED_CLOCK) ## a real server on a free port, driven by pytest
	GRADD=$(abspath $(OUT)/gradd) $(PYTHON) -m pytest -q -rs -p no:cacheprovider tests/api

test-crash: all ## kill -9 at random instants, restart, compare with a run that nobody killed; ROUNDS=50, SEED=
	@GRADD=$(abspath $(OUT)/gradd) ROUNDS=$(ROUNDS) SEED=$(SEED) PYTHONDONTWRITEBYTECODE=1 $(PYTHON) tests/crash/crash.py

test-docker: ## the image and its integration tests, where a container engine answers
	@if docker info > /dev/null 2>&1; then docker/test.sh; else echo 'skipped: no container engine answers'; fi

test-tsan: ## the unit tests of the threaded folders, under ThreadSanitizer
	+@$(MAKE) VARIANT=tsan run-threaded

THREADED := base store query work api
THREADED_PROGRAMS := $(foreach f,$(THREADED),$(call programs_in,tests/unit/$(f)))
.PHONY: run-threaded
run-threaded: $(THREADED_PROGRAMS)
	@.ci/unit $^

test-clang: ## the release build and the unit tests with clang
	+@$(MAKE) CC=clang VARIANT=release $(BUILD)/release-clang/gradd
	+@$(MAKE) CC=clang VARIANT=release run-unit

# Digests must be the same on narrower vectors than this machine's, and without hardware FMA, in glibc's functions too.
DIGEST_PROGRAMS := $(call programs_in,tests/unit/engine) $(call programs_in,tests/unit/train)
.PHONY: run-digest
run-digest: $(DIGEST_PROGRAMS)
	@.ci/unit $^

.PHONY: test-isa test-isa-baseline test-isa-avx2
test-isa: test-isa-baseline test-isa-avx2 ## the unit tests of engine and train as on machines with fewer instructions

test-isa-baseline:
	+@GLIBC_TUNABLES=glibc.cpu.hwcaps=-FMA,-FMA4 GRADD_ISA=$(firstword $(ISAS)) $(MAKE) VARIANT=release run-digest

test-isa-avx2:
	+@if grep -qw avx2 /proc/cpuinfo; then GRADD_ISA=avx2 $(MAKE) VARIANT=release run-digest; \
	else echo 'skipped: this processor has no AVX2'; fi

demo: ## install what is missing, build, start a server, train on real data, and leave it running
	@.ci/install build run demo
	+@$(MAKE) all
	@tests/demo.sh

bench: $(BENCH_PROGRAM) $(OUT)/gradd ## the benchmarks: JSON lines; BENCH=seed runs those with that in their name
	@GRADD=$(abspath $(OUT)/gradd) $(BENCH_PROGRAM) $(BENCH)

coverage: ## lines of each source file that the unit and ops tests reach
	@[ ! -d $(BUILD)/coverage ] || find $(BUILD)/coverage -name '*.gcda' -delete
	+@$(MAKE) VARIANT=coverage CC=gcc all
	+@$(MAKE) VARIANT=coverage CC=gcc run-unit
	+@$(MAKE) VARIANT=coverage CC=gcc run-ops
	@.ci/coverage $(BUILD)/coverage/obj

# ---------------------------------------------------------------- lint

C_FILES := $(wildcard src/*.c src/*/*.c api/*.c tests/unit/*/*.c tests/ops/*.c tests/mutate/*.c tests/bench/*.c tests/accuracy/*.c tests/clock/*.c)
H_FILES := $(wildcard src/*.h src/*/*.h api/*.h tests/unit/*.h tests/unit/*/*.h tests/ops/*.h tests/mutate/*.h tests/bench/*.h)
SCRIPTS := $(shell grep -lsE '^\#!.*[/ ](ba|da)?sh( |$$)' .ci/* docker/* tests/* tests/*/*)
JOBS := $(shell nproc)

.PHONY: lint lint-parts lint-tidy lint-cppcheck lint-shell layers format format-check
lint: ## format, clang-tidy, cppcheck, shellcheck, layers
	+@$(MAKE) -j$(JOBS) -k --output-sync=target lint-parts
	@echo 'lint: clean'

lint-parts: format-check layers lint-shell lint-cppcheck lint-tidy

format: ## rewrite the sources as .clang-format says
	@clang-format -i $(C_FILES) $(H_FILES)

format-check: ## fail where make format would change something
	@$(if $(C_FILES)$(H_FILES),clang-format --dry-run -Werror $(C_FILES) $(H_FILES))

layers: ## check every include against the arrows between the folders
	@$(PYTHON) .ci/layers

lint-shell:
	@shellcheck $(SCRIPTS)

# cppcheck 2.10 takes vectors that are filled lane by lane for uninitialised, and fails to parse some compound literals;
# the compilers and clang-tidy look for uninitialised variables too.
CPPCHECK := cppcheck --quiet --cppcheck-build-dir=$(BUILD)/cppcheck -j$(JOBS) --std=c11 --error-exitcode=1 \
	--enable=warning,performance,portability --inline-suppr --library=posix --suppress=missingIncludeSystem \
	--suppress=uninitvar --suppress=internalAstError \
	-D_GNU_SOURCE -DISA=baseline -I. -Isrc -I$(GEN) -Itests/unit -Itests/ops
lint-cppcheck: $(GEN)/version.h
	@mkdir -p $(BUILD)/cppcheck
	@$(if $(C_FILES),$(CPPCHECK) $(C_FILES))

# One stamp a file, with the headers it read: a second run looks only at what changed.
TIDY := $(C_FILES:%=$(BUILD)/tidy/%.ok)
lint-tidy: $(TIDY)

TIDY_FLAGS := -std=c17 -D_GNU_SOURCE -DISA=baseline -I. -Isrc -I$(GEN) -Itests/unit -Itests/ops -ffp-contract=off -Wno-psabi $(WARN)
$(BUILD)/tidy/%.ok: % .clang-tidy | $(GEN)/version.h
	@mkdir -p $(@D) && echo 'TIDY $<' && clang-tidy --quiet $< -- $(TIDY_FLAGS) 2> $@.log || { cat $@.log; exit 1; }
	@clang $(TIDY_FLAGS) -MM -MP -MT $@ -MF $@.d $< && touch $@

# ---------------------------------------------------------------- the rest

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: FORCE
FORCE:

ALL_OBJECTS := $(PROGRAM_OBJECTS) $(foreach f,$(FOLDERS),$(call folder_objects,$(f))) $(SUPPORT_OBJECTS) \
	$(call obj,$(wildcard tests/unit/*/*.c tests/ops/*.c tests/mutate/*.c tests/bench/*.c tests/accuracy/*.c))
-include $(ALL_OBJECTS:.o=.d) $(wildcard $(TIDY:=.d))
