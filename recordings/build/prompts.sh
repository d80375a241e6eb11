#!/bin/sh
# Makes the spoken prompts: prompts.tsv -> ../prompts/LANGUAGE/NAME.wav (16 kHz, mono, 16 bit).
#
# Debian packages: festival festvox-italp16k festvox-us-slt-hts sox python3, or espeak-ng where festival or a
# voice is missing. The programs are run, not linked; the clips are committed, so a build needs none of this.
# The same packages give the same bytes.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# speak LANGUAGE TEXT FILE
speak() {
    case $1 in
    it) voice=voice_lp_diphone package=italian/lp_diphone other=it ;;
    en) voice=voice_cmu_us_slt_arctic_hts package=us/cmu_us_slt_arctic_hts other=en-us ;;
    *) echo "prompts.tsv: no voice for the language '$1'" >&2; exit 1 ;;
    esac
    if command -v text2wave >/dev/null && [ -d "/usr/share/festival/voices/$package" ]; then
        # Festival reads bytes: an accent must be one of ISO 8859-15 (perche' is not perché).
        printf '%s\n' "$2" | iconv -f UTF-8 -t ISO-8859-15 >"$work/text"
        text2wave -eval "($voice)" -o "$3" "$work/text"
    else
        espeak-ng -v "$other" -s 150 -w "$3" "$2"
    fi
}

grep -v '^#' prompts.tsv | while IFS="$(printf '\t')" read -r name language text; do
    mkdir -p "../prompts/$language"
    speak "$language" "$text" "$work/spoken.wav" </dev/null
    # No rumble, no silence at either end, and 40 ms of air with a fade so that no clip begins with a click.
    sox -D "$work/spoken.wav" -b 16 -r 16000 -c 1 "$work/trimmed.wav" gain -6 highpass 90 \
        silence 1 0.02 0.6% reverse silence 1 0.02 0.6% reverse
    sox -D "$work/trimmed.wav" "$work/faded.wav" fade t 0.01 -0 0.03 pad 0.04 0.04
    ./level.py -23 "$work/faded.wav" "../prompts/$language/$name.wav"
done
