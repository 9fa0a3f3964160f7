# proof.mk - make prove-planted: bugs are planted one at a time, and the tests have to catch each
#
# There is no longer variant; one bug: tests/planted/run NAME

prove-planted: all $(BUILD)/sim $(filter $(BUILD)/tests/unit/%,$(TESTS))
	@HANDOFF_BUILD=$(abspath $(BUILD)) tests/planted/run

.PHONY: prove-planted
