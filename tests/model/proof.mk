# proof.mk - make prove-model: spin searches the models of the handoff, and finds what is planted
#
# Long, by larger bounds (hours): tests/model/run --long

prove-model:
	@tests/model/run

.PHONY: prove-model
