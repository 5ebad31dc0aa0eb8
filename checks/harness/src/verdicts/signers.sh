# Signatures by others on images in the current folder, with the keys in ./keys: `sh signers.sh` signs what the table on standard
# input says, a line for each: SIGNER INPUT OUTPUT KEY CERTIFICATES [OPTION…].
set -eu
while read -r signer input output key certificates options; do
    case "$signer" in
        sbsign)
            sbsign --key "keys/$key" --cert "keys/$certificates" --output "$output" "$input" ;;
        systemd-sbsign)
            /usr/lib/systemd/systemd-sbsign sign --private-key="keys/$key" --certificate="keys/$certificates" --output="$output" "$input" ;;
        osslsigncode)
            # shellcheck disable=SC2086 # options are words
            osslsigncode sign $options -key "keys/$key" -certs "keys/$certificates" -in "$input" -out "$output" ;;
        sha1)
            openssl dgst -sha1 -binary -out "$output" "$input" ;;
        pesign)
            pesign -n keys/nss -c own -s -i "$input" -o "$output" ;;
        *)
            echo "no signer $signer" >&2
            exit 1 ;;
    esac > signer.log 2>&1 < /dev/null || { cat signer.log >&2; echo "$signer $output" >&2; exit 1; }
done
