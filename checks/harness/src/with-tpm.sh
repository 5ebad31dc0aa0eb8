# with-tpm.sh STATE SCRIPT: does SCRIPT beside a software TPM whose state is in the folder STATE. $TCTI names the TPM.
set -eu

# Tests share the machine's ports: the first to come has the pair.
mkdir -p "$1"
for _ in {1..50}; do
  port=$((20000 + RANDOM % 20000))
  if swtpm socket --tpm2 --daemon --tpmstate "dir=$PWD/$1" --flags not-need-init,startup-clear --log "level=20,file=$PWD/$1.log,truncate" \
    --server "type=tcp,port=$port,bindaddr=127.0.0.1" --ctrl "type=tcp,port=$((port + 1)),bindaddr=127.0.0.1" 2>swtpm.stderr; then
    TCTI=swtpm:host=127.0.0.1,port=$port
    break
  fi
done
export TPM2TOOLS_TCTI=$TCTI TPM2OPENSSL_TCTI=$TCTI

# There is no resource manager that would do so.
flush() {
  tpm2_flushcontext --transient-object
  tpm2_flushcontext --loaded-session
  tpm2_flushcontext --saved-session
}

# The parent of key files.
primary() {
  tpm2_createprimary --quiet --hierarchy=o --hash-algorithm=sha256 --key-algorithm="${1:-ecc256:aes128cfb}" \
    --attributes='restricted|decrypt|fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda' --key-context=primary.ctx
  flush
}

# create NAME ALGORITHM ATTRIBUTES [OPTION...]
create() {
  tpm2_create --quiet --parent-context=primary.ctx --key-algorithm="$2" --public="$1.pub" --private="$1.priv" \
    --attributes="$3|fixedtpm|fixedparent|sensitivedataorigin" "${@:4}"
  flush
}

# persist NAME HANDLE
persist() {
  tpm2_load --quiet --parent-context=primary.ctx --public="$1.pub" --private="$1.priv" --key-context="$1.ctx"
  tpm2_evictcontrol --quiet --hierarchy=o --object-context="$1.ctx" "$2"
  flush
}

# encode NAME [PARENT]: makes NAME.pem
encode() {
  tpm2_encodeobject --parent="${2:-primary.ctx}" --public="$1.pub" --private="$1.priv" --output="$1.pem"
  flush
}

# certificate KEY FILE [OPTION...]: KEY is what OpenSSL calls the key
certificate() {
  openssl req -provider tpm2 -provider default -propquery '?provider=tpm2' -x509 -new -key "$1" -subj "/CN=$2" -days 30 -out "$2" "${@:3}"
  flush
}

# sign NAME CERTIFICATE URI [OPTION...]: makes NAME.efi, keeps what was said
sign() {
  "$TOUCHSTONE" pe sign addon --key "$3;tcti=$TCTI" --certificate "$2" --output "$1.efi" "${@:4}" >"$1.stdout" 2>"$1.stderr"
}

# refused NAME CERTIFICATE URI [OPTION...]: as sign, which must not succeed
refused() {
  local code=0
  sign "$@" || code=$?
  echo "$code" >"$1.code"
}

eval "$2"
