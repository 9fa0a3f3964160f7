# proof.mk - make prove-power: power losses, early promises, rot (tests/PROOF.md)
#
#	make prove-power				as in CI
#	tests/power/run --images 5000000		the long run; --seed S replays one
#
# POWER_IMAGES is how many images of a power loss are looked at.

POWER_IMAGES ?= 200000

POWER := $(addprefix tests/power/,disk.c judge.c story.c replay.c)

$(BUILD)/power/recorder.so: tests/power/recorder.c tests/power/trace.h $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,LINK) $(COMPILE) -shared -o $@ $<

$(BUILD)/power/replay: $(call objects,$(POWER)) $(BUILD)/rooms.a
	@mkdir -p $(@D)
	$(call say,LINK) $(LINK) -pie -o $@ $^ $(LIBS)

-include $(patsubst %.o,%.d,$(call objects,$(POWER)))

prove-power: $(BUILD)/handoffd $(BUILD)/handoffctl $(BUILD)/power/recorder.so \
		$(BUILD)/power/replay
	HANDOFFD=$(abspath $(BUILD)/handoffd) HANDOFFCTL=$(abspath $(BUILD)/handoffctl) \
		tests/power/run --images $(POWER_IMAGES)

.PHONY: prove-power
