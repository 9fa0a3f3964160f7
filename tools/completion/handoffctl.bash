# shellcheck shell=bash
# handoffctl.bash - completes the command line of handoffctl(8) in bash
#
# The words of the commands are those of the running broker, which is asked: help --words.

# _handoffctl_next WORD...: the words that may follow these, by the broker's list on standard input
_handoffctl_next() {
	awk -v typed="$*" '
		BEGIN { n = split(typed, word, " ") }
		{
			for (i = 1; i <= n; i++)
				if ($i != word[i])
					next
			if (NF > n)
				print $(n + 1)
		}' | sort -u
}

_handoffctl() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local i words='' typed=() broker=()

	case $before in
	--socket | -s)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	--reason | -r) return ;;
	esac
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--socket | -s)
			broker=(-s "${COMP_WORDS[++i]}")
			;;
		--reason | -r) ((i++)) ;;
		-*) ;;
		*) typed+=("${COMP_WORDS[i]}") ;;
		esac
	done
	# help is about commands: their words follow it.
	[ "${typed[0]}" != help ] || typed=("${typed[@]:1}")
	words=$("${COMP_WORDS[0]}" "${broker[@]}" help --words 2>/dev/null | _handoffctl_next "${typed[@]}")
	[ ${#typed[@]} -gt 0 ] || words="$words --help --version"
	words="$words --socket --json --yes --reason --no-color"
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

complete -F _handoffctl handoffctl
