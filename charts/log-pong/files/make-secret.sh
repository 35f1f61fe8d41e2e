#!/bin/sh
# Creates the Secret with a fresh random password, unless one of that name is
# there already, which is left as it is. Safe to run any number of times.
set -eu

# KUBERNETES_SERVICE_*: set by the kubelet in every container; no DNS needed.
case $KUBERNETES_SERVICE_HOST in
*:*) server=[$KUBERNETES_SERVICE_HOST]:$KUBERNETES_SERVICE_PORT ;;
*) server=$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 077
# Files, not arguments: other processes can read a command line.
printf 'Authorization: Bearer %s\n' "$(cat "$API_ACCESS/token")" >"$work/header"
# 24 random bytes: 32 characters, none that a URL or a shell would have to quote.
password=$(head -c 24 /dev/urandom | base64 | tr '+/' '-_')
[ "${#password}" -eq 32 ]
cat >"$work/secret.json" <<JSON
{
  "apiVersion": "v1",
  "kind": "Secret",
  "metadata": {
    "name": "$SECRET_NAME",
    "labels": {"app.kubernetes.io/name": "postgres", "app.kubernetes.io/part-of": "log-pong"}
  },
  "type": "kubernetes.io/basic-auth",
  "immutable": true,
  "stringData": {"username": "$SECRET_USERNAME", "password": "$password"}
}
JSON

# A repeat after a lost answer is harmless: it meets the Secret and gets a 409.
# The API server is never behind a proxy that the cluster's pods are told of.
status=$(curl --silent --noproxy '*' --show-error --connect-timeout 5 --max-time 15 \
    --retry 4 --retry-connrefused --retry-max-time 60 \
    --cacert "$API_ACCESS/ca.crt" --header "@$work/header" \
    --header 'Content-Type: application/json' --data-binary "@$work/secret.json" \
    --output "$work/answer" --write-out '%{http_code}' \
    "https://$server/api/v1/namespaces/$NAMESPACE/secrets")
case $status in
201) echo "made Secret $SECRET_NAME" ;;
409) echo "Secret $SECRET_NAME is there already and stays as it is" ;;
*)
    # The refusal, in which the API server does not repeat what was sent.
    echo "cannot make Secret $SECRET_NAME: HTTP $status" >&2
    cat "$work/answer" >&2
    exit 1
    ;;
esac
