# Erasure Relay on workerd, without Cloudflare: docs/deploy.md, "Your own data centre". Keep this file,
# sources.json and vendors.json in a folder of your own, such as /etc/erasure-relay.
using Workerd = import "/workerd/workerd.capnp";
using Release = import "/deploy/workerd/release.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    # The vendors, and those who publish public keys. Private addresses cannot be reached.
    (name = "internet", network = (allow = ["public"], tlsOptions = (trustBrowserCas = true))),
    # The path is set by --directory-path.
    (name = "storage", disk = (writable = true)),
  ],
  # TLS ends in front of it. The address can be set by --socket-addr=http=127.0.0.1:8080.
  sockets = [(name = "http", address = "127.0.0.1:8080", http = (), service = "main")],
);

const main :Workerd.Worker = (
  modules = Release.modules,
  compatibilityDate = Release.compatibilityDate,
  compatibilityFlags = Release.compatibilityFlags,
  bindings = [
    (name = "DELIVERY", text = "durable"),
    (name = "SOURCES", json = embed "sources.json"),
    (name = "VENDORS", json = embed "vendors.json"),
    (name = "LANES", durableObjectNamespace = "Lane"),
    # Secrets come from the environment. One that is not set there is not set here. Every name that
    # sources.json and vendors.json mention needs a line.
    (name = "CONSENT_WEBHOOK_SECRET", fromEnvironment = "CONSENT_WEBHOOK_SECRET"),
    (name = "CONSENT_WEBHOOK_SECRET_PREVIOUS", fromEnvironment = "CONSENT_WEBHOOK_SECRET_PREVIOUS"),
    (name = "INSTACART_TOKEN", fromEnvironment = "INSTACART_TOKEN"),
    (name = "INSTACART_CLIENT_ID", fromEnvironment = "INSTACART_CLIENT_ID"),
    (name = "INSTACART_CLIENT_SECRET", fromEnvironment = "INSTACART_CLIENT_SECRET"),
    (name = "INSIDER_TOKEN", fromEnvironment = "INSIDER_TOKEN"),
    (name = "PSEUDONYM_KEY", fromEnvironment = "PSEUDONYM_KEY"),
    (name = "PSEUDONYM_KEY_PREVIOUS", fromEnvironment = "PSEUDONYM_KEY_PREVIOUS"),
    (name = "ADMIN_TOKEN", fromEnvironment = "ADMIN_TOKEN"),
    (name = "RECEIPT_SIGNING_KEY", fromEnvironment = "RECEIPT_SIGNING_KEY"),
    (name = "RECEIPT_SIGNING_KEY_PREVIOUS", fromEnvironment = "RECEIPT_SIGNING_KEY_PREVIOUS"),
    (name = "RECEIPT_SECRET", fromEnvironment = "RECEIPT_SECRET"),
  ],
  # The lanes' storage is found by this key: never change it.
  durableObjectNamespaces = [(className = "Lane", uniqueKey = "erasure-relay-lane", enableSql = true)],
  durableObjectStorage = (localDisk = "storage"),
);
