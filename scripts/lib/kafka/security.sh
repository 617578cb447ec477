# Certificates, users and listeners for `scripts/kafka start --security`. Part of scripts/kafka,
# whose variables it reads.
# shellcheck shell=bash disable=SC2154

tls_password=metric-secret

security_properties() {
    local plain scram oauth
    plain="org.apache.kafka.common.security.plain.PlainLoginModule required user_metric=\"$tls_password\";"
    scram="org.apache.kafka.common.security.scram.ScramLoginModule required;"
    oauth="org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"broker\";"
    cat <<END
ssl.keystore.location=$dir/tls/broker.p12
ssl.keystore.password=$tls_password
ssl.key.password=$tls_password
ssl.keystore.type=PKCS12
ssl.truststore.location=$dir/tls/trust.p12
ssl.truststore.password=$tls_password
ssl.truststore.type=PKCS12
# A certificate of the client is checked where it sends one.
ssl.client.auth=requested
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
END
    local listener
    for listener in sasl sasl_tls; do
        cat <<END
listener.name.$listener.plain.sasl.jaas.config=$plain
listener.name.$listener.scram-sha-256.sasl.jaas.config=$scram
listener.name.$listener.scram-sha-512.sasl.jaas.config=$scram
listener.name.$listener.oauthbearer.sasl.jaas.config=$oauth
END
    done
}

# The arguments of the storage tool that create the user for SCRAM, one a line.
scram_arguments() {
    local mechanism
    for mechanism in SCRAM-SHA-256 SCRAM-SHA-512; do
        printf '%s\n' --add-scram "$mechanism=[name=metric,password=$tls_password]"
    done
}

# Makes an authority, a certificate of the brokers and one of a client, valid for ten years.
make_certificates() {
    local tls=$dir/tls keytool name
    keytool=$(dirname "$JAVA")/keytool
    [ ! -e "$tls/client.key" ] || return 0
    rm -rf "$tls"
    mkdir -p "$tls"
    local secret=(-storetype PKCS12 -storepass "$tls_password")
    {
        "$keytool" -genkeypair -alias ca -keystore "$tls/ca.p12" "${secret[@]}" -keyalg RSA \
            -validity 3650 -dname CN=metric-test-authority -ext bc:c -ext ku:c=keyCertSign
        "$keytool" -exportcert -rfc -alias ca -keystore "$tls/ca.p12" "${secret[@]}" -file "$tls/ca.pem"
        "$keytool" -importcert -noprompt -alias ca -keystore "$tls/trust.p12" "${secret[@]}" -file "$tls/ca.pem"
        for name in broker client; do
            "$keytool" -genkeypair -alias $name -keystore "$tls/$name.p12" "${secret[@]}" -keyalg RSA \
                -validity 3650 -dname "CN=metric-test-$name"
            "$keytool" -certreq -alias $name -keystore "$tls/$name.p12" "${secret[@]}" -file "$tls/$name.csr"
            "$keytool" -gencert -alias ca -keystore "$tls/ca.p12" "${secret[@]}" -rfc -validity 3650 \
                -ext san=ip:127.0.0.1,dns:localhost -infile "$tls/$name.csr" -outfile "$tls/$name.pem"
            "$keytool" -importcert -noprompt -alias ca -keystore "$tls/$name.p12" "${secret[@]}" -file "$tls/ca.pem"
            "$keytool" -importcert -noprompt -alias $name -keystore "$tls/$name.p12" "${secret[@]}" -file "$tls/$name.pem"
        done
        "$JAVA" "$root/scripts/lib/kafka/ExportKey.java" "$tls/client.p12" client "$tls_password" >"$tls/client.key"
    } 2>"$tls/keytool.log" || fail "the certificates could not be made: $(cat "$tls/keytool.log")"
}
