# shellcheck shell=bash
# handoff.bash - completes the command line of handoff(1) in bash

_handoff_options() {
	local always='--help --version'
	local common="--module --broker --certs --ca --cert --key --server-name --instance
		--connect-timeout --quiet --verbose $always"

	case $1 in
	cert) echo "--days --trust-domain --dns --ip --force $always" ;;
	send) echo "--to --id-field --wait --journal $common" ;;
	work) echo "--exec --to --jobs $common" ;;
	health) echo "--check --json $common" ;;
	recv) echo "--output --confirm --count --idle --max-in-flight --remember $common" ;;
	bench) echo "--to --role --target-cert --target-key --size --records --batches --seconds
		--in-flight --patience --json $common" ;;
	*) echo "$always" ;;
	esac
}

_handoff() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local command=${COMP_WORDS[1]} words='' files=''

	if [ "$COMP_CWORD" -eq 1 ]; then
		words="cert send work recv bench health --help --version"
	else
		case $before in
		--module | -m | --to | -t) words='ALPHA BETA GAMMA EPSILON PHI' ;;
		--check | -c) words='liveness readiness detailed' ;;
		--wait | -w) words='received processed confirmed' ;;
		--role) words='source target both' ;;
		--certs) files=-d ;;
		--ca | --cert | --key | --target-cert | --target-key | --journal | --output | -o) files=-f ;;
		--exec | -e) words=$(compgen -c -- "$word") ;;
		cert) words="init issue show --help" ;;
		init | issue) files=-d ;;
		--*) ;;
		*)
			words=$(_handoff_options "$command")
			[ "$command" != cert ] || [ "${COMP_WORDS[2]}" != issue ] || words="$words broker ALPHA BETA GAMMA EPSILON PHI"
			[ "$command" != cert ] || files=-f
			;;
		esac
	fi
	# --help and the like take no value: what follows is an option again.
	case $before in
	--quiet | --verbose | --force | --json) words=$(_handoff_options "$command") ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word"; [ -z "$files" ] || compgen "$files" -- "$word")
}

complete -o filenames -F _handoff handoff
