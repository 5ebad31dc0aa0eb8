# Keys and certificates of the verdict cases, made by OpenSSL in the current folder: NAME.key, NAME.pem, NAME.der.
set -eu

# key NAME KIND: a private key. RSA by its bits, an elliptic curve by its name.
key() {
    case "$2" in
        [0-9]*) openssl genpkey -quiet -algorithm RSA -pkeyopt "rsa_keygen_bits:$2" -out "$1.key" ;;
        *) openssl genpkey -quiet -algorithm EC -pkeyopt "ec_paramgen_curve:$2" -out "$1.key" ;;
    esac
}

# own NAME KIND EXTENSION [OPTION…]: a certificate that is signed by its own key.
own() {
    name=$1 kind=$2 extension=$3
    shift 3
    key "$name" "$kind"
    openssl req -new -x509 -config none.cnf -key "$name.key" -subj "/CN=$name" -days 3650 \
        -addext "$extension" -addext "$PURPOSE" -out "$name.pem" "$@"
}

# issued NAME ISSUER EXTENSION [OPTION…]: a certificate that is signed by another's key.
issued() {
    name=$1 issuer=$2
    printf '%s\n' "$3" "$PURPOSE" > "$name.ext"
    shift 3
    key "$name" 2048
    openssl req -new -config none.cnf -key "$name.key" -subj "/CN=$name" -out "$name.csr"
    openssl x509 -req -in "$name.csr" -CA "$issuer.pem" -CAkey "$issuer.key" -days 3650 \
        -extfile "$name.ext" -out "$name.pem" "$@" 2> /dev/null
}

printf '[req]\ndistinguished_name = names\n[names]\n' > none.cnf
AUTHORITY=basicConstraints=critical,CA:TRUE
NONE=basicConstraints=critical,CA:FALSE
# Firmware does not ask for it, pesigcheck does.
PURPOSE=extendedKeyUsage=codeSigning

# Certificates that stand for themselves.
own own 2048 $NONE
own stranger 2048 $NONE
own rsa1024 1024 $NONE
own rsa3072 3072 $NONE
own rsa4096 4096 $NONE
own p256 prime256v1 $NONE
own p384 secp384r1 $NONE
own expired 2048 $NONE -not_before 20190101000000Z -not_after 20200101000000Z 2> /dev/null
PURPOSE=extendedKeyUsage=serverAuth
own web-server 2048 $NONE
PURPOSE=extendedKeyUsage=codeSigning
own critical 2048 1.3.6.1.4.1.99999.1=critical,ASN1:UTF8String:unknown

# A hierarchy: root > middle > lower.
own root 2048 $AUTHORITY
issued middle root $AUTHORITY
issued lower middle $AUTHORITY
issued by-root root $NONE
issued by-middle middle $NONE
issued by-lower lower $NONE
issued by-root-in-sha1 root $NONE -sha1

# Issuers that are none.
own no-authority 2048 $NONE
issued by-no-authority no-authority $NONE
issued short root $AUTHORITY,pathlen:0
issued below-short short $AUTHORITY
issued by-below-short below-short $NONE
# As `req -x509` was used before there were extensions.
key version1 2048
openssl req -new -x509 -x509v1 -config none.cnf -key version1.key -subj /CN=version1 -days 3650 -out version1.pem
issued by-version1 version1 $NONE

cat by-middle.pem middle.pem > by-middle.chain
cat by-lower.pem lower.pem middle.pem > by-lower.chain
cat by-lower.pem middle.pem lower.pem root.pem > by-lower.whole
cat by-below-short.pem below-short.pem short.pem > by-below-short.chain

for file in *.pem; do
    name=${file%.pem}
    openssl x509 -in "$file" -outform DER -out "$name.der"
    # What the issuer signed: the first element of the certificate's SEQUENCE, whose own header has four bytes.
    openssl asn1parse -inform DER -in "$name.der" -strparse 4 -noout -out "$name.tbs"
done

# The same for pesign, which wants a database of NSS.
mkdir nss
certutil -N -d nss --empty-password
openssl pkcs12 -export -inkey own.key -in own.pem -name own -passout pass: -out own.p12
pk12util -i own.p12 -d nss -W '' > pk12util.log
