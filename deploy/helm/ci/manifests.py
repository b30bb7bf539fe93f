#!/usr/bin/env python3
"""Checks what `helm template` printed: usage: manifests.py SERVER_SOURCE FILE...

Each file holds one rendered release. Checked are Kubernetes' own schemas (the oldest version that Chart.yaml allows
and the newest that is known here), the restricted Pod Security Standard, that the hook needs nothing which the chart
installs later, and that names, ports, paths and probes fit together. SERVER_SOURCE is the source of the admin server:
a probe asks for a page that stands there. Beside each file its peerwright.yaml is written, as FILE.peerwright.yaml.

Before that, every rule is shown manifests that break it, so that a rule that cannot fail is found.
"""

import copy
import pathlib
import re
import sys

import kubernetes_validate
import yaml

CHART = yaml.safe_load((pathlib.Path(__file__).resolve().parents[1] / "peerwright/Chart.yaml").read_text())
OLDEST = re.match(r">=(\d+\.\d+)", CHART["kubeVersion"])[1]
NEWEST = kubernetes_validate.latest_version()
WORKLOADS = ("Deployment", "Job")
ALLOWED_VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret",
}  # fmt: skip
HOOK = "helm.sh/hook"
WEIGHT = "helm.sh/hook-weight"


class StrictLoader(yaml.SafeLoader):
    """YAML that gives no key twice: Kubernetes would keep one of the two in silence."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"{twice} given twice", node.start_mark)
        return super().construct_mapping(node, deep)


def annotations(doc):
    return doc["metadata"].get("annotations") or {}


def is_hook(doc):
    return HOOK in annotations(doc)


def weight(doc):
    return int(annotations(doc).get(WEIGHT, "0"))


def named(doc):
    return doc["kind"], doc["metadata"]["name"]


def pod_of(doc):
    return doc["spec"]["template"]["spec"]


def find(docs, kind, hook=False):
    return [doc for doc in docs if doc["kind"] == kind and is_hook(doc) == hook]


def check_schemas(docs):
    for doc in docs:
        for version in (OLDEST, NEWEST):
            try:
                kubernetes_validate.validate(doc, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                yield f"Kubernetes {version}: {named(doc)}: {'.'.join(map(str, error.path))}: {error.message}"


def check_pod_security(docs):
    """The restricted profile, and beyond it: no token, read-only root, no variables that look like settings."""
    for doc in docs:
        if doc["kind"] in WORKLOADS:
            pod = pod_of(doc)
            yield from (f"{named(doc)}: {problem}" for problem in pod_problems(pod))
            for container in pod.get("initContainers", []) + pod["containers"]:
                name = container["name"]
                yield from (f"{named(doc)}: {name}: {problem}" for problem in container_problems(container))


def pod_problems(pod):
    context = pod.get("securityContext", {})
    if context.get("runAsNonRoot") is not True or context.get("runAsUser") == 0:
        yield "may run as root"
    if context.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "seccompProfile is not RuntimeDefault"
    if pod.get("automountServiceAccountToken") is not False:
        yield "the account's token is mounted"
    if pod.get("enableServiceLinks") is not False:
        yield "services become PEERWRIGHT_... variables"
    for host in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(host):
            yield f"{host} is on"
    for volume in pod.get("volumes", []):
        if not set(volume) - {"name"} <= ALLOWED_VOLUMES:
            yield f"the volume {volume['name']} is of a kind that restricted refuses"


def container_problems(container):
    context = container.get("securityContext", {})
    capabilities = context.get("capabilities", {})
    if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
        yield "may gain privileges"
    if capabilities.get("drop") != ["ALL"] or capabilities.get("add"):
        yield "keeps capabilities"
    if context.get("readOnlyRootFilesystem") is not True:
        yield "may write to its root filesystem"
    if context.get("runAsNonRoot") is False or context.get("runAsUser") == 0:
        yield "may run as root"
    if any("hostPort" in port for port in container.get("ports", [])):
        yield "takes a port of the host"
    if any("subPath" in mount or "subPathExpr" in mount for mount in container.get("volumeMounts", [])):
        yield "mounts a subPath, which never sees a changed Secret"
    resources = container.get("resources", {})
    if "memory" not in resources.get("limits", {}) or "memory" not in resources.get("requests", {}):
        yield "has no bound on memory"
    if "cpu" in resources.get("limits", {}):
        yield "has a CPU limit"


def references(doc):
    """(kind, name) of all that a workload cannot start without."""
    pod = pod_of(doc)
    yield "ServiceAccount", pod.get("serviceAccountName", "default")
    for secret in pod.get("imagePullSecrets", []):
        yield "Secret", secret["name"]
    for volume in pod.get("volumes", []):
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"]
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"]
        if "persistentVolumeClaim" in volume:
            yield "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]
    for container in pod.get("initContainers", []) + pod["containers"]:
        for source in container.get("envFrom", []):
            for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if field in source:
                    yield kind, source[field]["name"]
        for variable in container.get("env", []):
            for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
                if field in variable.get("valueFrom", {}):
                    yield kind, variable["valueFrom"][field]["name"]


def check_order(docs):
    """What a hook needs is there before it; what the workers need is there and is no hook, which gets deleted."""
    installed = {named(doc) for doc in docs if not is_hook(doc)}
    hooks = {named(doc): doc for doc in docs if is_hook(doc)}
    for doc in docs:
        if doc["kind"] not in WORKLOADS:
            continue
        for reference in references(doc):
            if is_hook(doc) and reference in installed:
                yield f"{named(doc)}: the hook needs {reference}, which is installed later"
            if is_hook(doc) and reference in hooks and weight(hooks[reference]) >= weight(doc):
                yield f"{named(doc)}: the hook needs {reference}, which is not lighter"
            if not is_hook(doc) and reference in hooks:
                yield f"{named(doc)}: needs {reference}, which is deleted after the hook"
        config = [v["configMap"]["name"] for v in pod_of(doc)["volumes"] if v["name"] == "config"]
        if len(config) != 1 or ("ConfigMap", config[0]) not in (hooks if is_hook(doc) else installed):
            yield f"{named(doc)}: its configuration is nowhere"
    for doc in hooks.values():
        if set(annotations(doc)[HOOK].split(",")) != {"pre-install", "pre-upgrade"}:
            yield f"{named(doc)}: runs at other times than pre-install and pre-upgrade"


def config_of(docs, hook=False):
    maps = [doc for doc in find(docs, "ConfigMap", hook) if "peerwright.yaml" in doc.get("data", {})]
    return maps[0]["data"]["peerwright.yaml"] if len(maps) == 1 else None


def files_named(config):
    """The paths of secrets that the configuration names."""
    for section in config.values():
        for key, value in section.items() if isinstance(section, dict) else ():
            if key.endswith("_file") and value:
                yield value
            if key == "secret_property_files":
                yield from value.values()


def check_configuration(docs):
    text = config_of(docs)
    if text is None:
        yield "there is no peerwright.yaml"
        return
    if find(docs, "Job", hook=True) and config_of(docs, hook=True) != text:
        yield "the hook has another configuration than the workers"
    config = yaml.load(text, StrictLoader)
    for deployment in find(docs, "Deployment"):
        container = pod_of(deployment)["containers"][0]
        mounts = [mount["mountPath"] + "/" for mount in container["volumeMounts"]]
        for path in files_named(config):
            if not any(path.startswith(mount) for mount in mounts):
                yield f"{named(deployment)}: {path} is under no mount"
        port = int(config["admin"]["listen"].rpartition(":")[2])
        if [p["containerPort"] for p in container["ports"]] != [port]:
            yield f"{named(deployment)}: the port is not the one of admin.listen, {port}"
    for job in find(docs, "Job", hook=True):
        mounts = [mount["mountPath"] + "/" for mount in pod_of(job)["containers"][0]["volumeMounts"]]
        path = config["postgres"].get("password_file")
        if path and not any(path.startswith(mount) for mount in mounts):
            yield f"{named(job)}: {path} is under no mount"


def check_pages(docs, server_source):
    for deployment in find(docs, "Deployment"):
        container = pod_of(deployment)["containers"][0]
        for probe, page in (("livenessProbe", "/livez"), ("readinessProbe", "/readyz")):
            get = container.get(probe, {}).get("httpGet", {})
            if get.get("path") != page or f'Get("{page}"' not in server_source:
                yield f"{named(deployment)}: the {probe} does not ask for {page} of the admin server"
            if get.get("port") not in [port["name"] for port in container["ports"]]:
                yield f"{named(deployment)}: the {probe} asks a port that is not there"
        for service in find(docs, "Service"):
            if service["spec"]["ports"][0]["targetPort"] not in [port["name"] for port in container["ports"]]:
                yield f"{named(service)}: leads to a port that is not there"


def check_selectors(docs):
    """Service, Deployment and budget mean the workers, and no migration."""

    def matches(selector, doc):
        return selector.items() <= doc["spec"]["template"]["metadata"]["labels"].items()

    for deployment in find(docs, "Deployment"):
        selectors = {named(deployment): deployment["spec"]["selector"]["matchLabels"]}
        selectors.update({named(doc): doc["spec"]["selector"] for doc in find(docs, "Service")})
        selectors.update(
            {named(doc): doc["spec"]["selector"]["matchLabels"] for doc in find(docs, "PodDisruptionBudget")}
        )
        for name, selector in selectors.items():
            if not matches(selector, deployment):
                yield f"{name}: does not select the workers"
            for job in find(docs, "Job", hook=True):
                if matches(selector, job):
                    yield f"{name}: selects the migration too"


def problems_of(docs, server_source):
    found = []
    for check in (check_schemas, check_pod_security, check_order, check_configuration, check_selectors):
        found += check(docs)
    return found + list(check_pages(docs, server_source))


def rename_config(docs):
    """Makes the hook use the workers' ConfigMap."""
    name = find(docs, "ConfigMap")[0]["metadata"]["name"]
    pod_of(find(docs, "Job", hook=True)[0])["volumes"][0]["configMap"]["name"] = name


def edit(change):
    """A change of the workers' pod, container, and container's security context."""

    def apply(docs):
        pod = pod_of(find(docs, "Deployment")[0])
        change(pod, pod["containers"][0], pod["containers"][0]["securityContext"])

    return apply


def job(docs):
    return find(docs, "Job", hook=True)[0]


# What is broken, and what is said about it.
BREAKS = [
    (edit(lambda p, c, s: c.update(bogus=1)), "bogus"),
    (edit(lambda p, c, s: p["securityContext"].pop("runAsNonRoot")), "may run as root"),
    (edit(lambda p, c, s: s.update(runAsUser=0)), "may run as root"),
    (edit(lambda p, c, s: p["securityContext"].pop("seccompProfile")), "seccompProfile"),
    (edit(lambda p, c, s: p.pop("automountServiceAccountToken")), "token is mounted"),
    (edit(lambda p, c, s: p.pop("enableServiceLinks")), "variables"),
    (edit(lambda p, c, s: p.update(hostNetwork=True)), "hostNetwork"),
    (edit(lambda p, c, s: p["volumes"].append({"name": "h", "hostPath": {"path": "/"}})), "the volume h"),
    (edit(lambda p, c, s: s.update(allowPrivilegeEscalation=True)), "may gain privileges"),
    (edit(lambda p, c, s: s.pop("capabilities")), "keeps capabilities"),
    (edit(lambda p, c, s: s.pop("readOnlyRootFilesystem")), "may write to its root"),
    (edit(lambda p, c, s: c["ports"][0].update(hostPort=1)), "takes a port"),
    (edit(lambda p, c, s: c["volumeMounts"][0].update(subPath="x")), "subPath"),
    (edit(lambda p, c, s: c["resources"].pop("limits")), "no bound on memory"),
    (edit(lambda p, c, s: c["resources"]["limits"].update(cpu="1")), "CPU limit"),
    (edit(lambda p, c, s: c["volumeMounts"].pop(1)), "is under no mount"),
    (edit(lambda p, c, s: c["ports"][0].update(containerPort=1)), "not the one of admin.listen"),
    (edit(lambda p, c, s: c["readinessProbe"]["httpGet"].update(path="/ready")), "does not ask for /readyz"),
    (edit(lambda p, c, s: c["livenessProbe"]["httpGet"].update(port="other")), "asks a port"),
    (lambda docs: find(docs, "Service")[0]["spec"]["ports"][0].update(targetPort="other"), "leads to a port"),
    (lambda docs: find(docs, "Service")[0]["spec"]["selector"].update(other="x"), "does not select"),
    (lambda docs: find(docs, "Service")[0]["spec"]["selector"].pop("app.kubernetes.io/component"), "migration too"),
    (rename_config, "installed later"),
    (lambda docs: pod_of(job(docs)).update(serviceAccountName=find(docs, "ServiceAccount")[0]["metadata"]["name"]),
     "installed later"),
    (lambda docs: annotations(job(docs)).update({WEIGHT: "-10"}), "not lighter"),
    (lambda docs: annotations(job(docs)).update({HOOK: "post-install"}), "runs at other times"),
    (lambda docs: pod_of(job(docs))["containers"][0].update(volumeMounts=[]), "is under no mount"),
    (lambda docs: docs.remove(find(docs, "ConfigMap")[0]), "no peerwright.yaml"),
    (lambda docs: find(docs, "ConfigMap", hook=True)[0]["data"].update({"peerwright.yaml": "{}"}), "another config"),
]  # fmt: skip


def check_the_checks(docs, server_source):
    for number, (spoil, expected) in enumerate(BREAKS):
        spoiled = copy.deepcopy(docs)
        spoil(spoiled)
        if not any(expected in problem for problem in problems_of(spoiled, server_source)):
            sys.exit(f'manifests.py: break {number} was not noticed as "{expected}"')


def main():
    server_source = pathlib.Path(sys.argv[1]).read_text()
    releases = {}
    for path in map(pathlib.Path, sys.argv[2:]):
        releases[path] = [doc for doc in yaml.load_all(path.read_text(), StrictLoader) if doc]
    complete = [docs for docs in releases.values() if find(docs, "Job", hook=True) and find(docs, "ServiceAccount")]
    if not complete:
        sys.exit("manifests.py: no release has both the hook and an account")
    check_the_checks(complete[0], server_source)
    bad = False
    for path, docs in releases.items():
        for problem in problems_of(docs, server_source):
            bad = True
            print(f"{path.stem}: {problem}", file=sys.stderr)
        pathlib.Path(f"{path}.peerwright.yaml").write_text(config_of(docs) or "")
    if bad:
        sys.exit(1)
    print(f"manifests: {len(releases)} releases, Kubernetes {OLDEST} and {NEWEST}, {len(BREAKS)} breaks noticed")


if __name__ == "__main__":
    main()
