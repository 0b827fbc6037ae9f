#!/usr/bin/env bash
# A network is created, learns and predicts: command lines only.
#
#     docs/examples/command_line.sh NETWORK
#
# Where and who: HANAMI_URL, HANAMI_USER, HANAMI_PASSWORD, HANAMI_PROJECT. `buf curl` comes with
# `pip install buf-bin`; it asks the mesh itself for the contracts. With grpcurl a call is
#
#     grpcurl -plaintext -H "authorization: Bearer $token" -d @ HOST:PORT SERVICE/METHOD
set -euo pipefail
cd "$(dirname "$0")"
network="projects/$HANAMI_PROJECT/networks/$1"

call() { # SERVICE/METHOD [OPTIONS]: messages as JSON on standard input, answers on standard output
    buf curl --protocol grpc --http2-prior-knowledge --data @- "${@:2}" "$HANAMI_URL/$1"
}

token=$(call hanami.misaki.v1.TokenService/Login \
    <<< "{\"user_id\": \"$HANAMI_USER\", \"password\": \"$HANAMI_PASSWORD\"}" |
    sed -n 's/.*"accessToken": *"\([^"]*\)".*/\1/p')
as_user=(--header "authorization: Bearer $token")

call hanami.kyouko.v1.NetworkService/CreateNetwork "${as_user[@]}" > /dev/null <<< "{
    \"parent\": \"projects/$HANAMI_PROJECT\", \"network_id\": \"$1\",
    \"template\": \"templates/flat\", \"channels\": 4}"

frames() { # FIRST LAST WITH_LABELS: rows of machine.csv as frames of at most 40
    sed -n "$(($1 + 1)),$(($2 + 1))p" machine.csv | awk -F, -v with_labels="$3" '
        function flush() {
            if (rows == 0) return
            printf "{\"frame\": {\"sequence\": %d, \"inputs\": {\"data_type\": \"DATA_TYPE_FLOAT32\",", ++sequence
            printf "\"shape\": [%d, 4], \"values\": {\"values\": [%s]}}", rows, values
            if (with_labels) printf ", \"labels\": {\"values\": [%s]}", labels
            print "}}"
            rows = 0; values = ""; labels = ""
        }
        {
            values = values (rows ? "," : "") $1 "," $2 "," $3 "," $4
            labels = labels (rows ? "," : "") "\"" $5 "\""
            if (++rows == 40) flush()
        }
        END { flush() }'
}

{
    echo "{\"open\": {\"network\": \"$network\", \"mode\": \"LEARN_MODE_LEARN\"}}"
    frames 1 160 1
    echo '{"close": {}}'
} | call hanami.kyouko.v1.LearningService/Learn "${as_user[@]}" > /dev/null

{
    echo "{\"open\": {\"network\": \"$network\", \"mode\": \"LEARN_MODE_PREDICT\", \"return_outputs\": true}}"
    frames 161 200 ""
    echo '{"close": {}}'
} | call hanami.kyouko.v1.LearningService/Learn "${as_user[@]}"
