"""Reads the policy files of the prototype, whose endpoints became methods.

A file has blocks of `[component]`; in them lines with the path of an endpoint; below each
of these `- VERB: role, role`. What it does not name is denied.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mesh.access import AccessRule, Role
from mesh.errors import InvalidArgument
from misaki.domain.policy import PEOPLE, Catalogue, Rules, allowed_roles

_COMPONENT = re.compile(r"\[\s*([a-zA-Z]+)\s*\]")
_ENDPOINT = re.compile(r"v1/[a-zA-Z_/0-9]+")
_VERB = re.compile(r"-\s*([A-Z]+)\s*:\s*(.*)")

# The prototype had two roles. Its members are all who work in a project; the roles that
# may do less than a member get from a member's methods what their contract leaves them.
_ROLES: Final[Mapping[str, frozenset[Role]]] = {
    "admin": frozenset({Role.ADMIN}),
    "member": frozenset({Role.PROJECT_ADMIN, Role.MEMBER, Role.VIEWER, Role.DEVICE}),
}

_USERS, _PROJECTS = "hanami.misaki.v1.UserService", "hanami.misaki.v1.ProjectService"
_NETWORKS, _TASKS = "hanami.kyouko.v1.NetworkService", "hanami.kyouko.v1.TaskService"
_TEMPLATES, _LEARNING = "hanami.kyouko.v1.TemplateService", "hanami.kyouko.v1.LearningService"
_DATASETS, _MONITORING = "hanami.shiori.v1.DatasetService", "hanami.azuki.v1.MonitoringService"
_AUDIT, _ERRORS = "hanami.shiori.v1.AuditService", "hanami.shiori.v1.ErrorService"

# What each endpoint became. Endpoints that are missing here have no counterpart.
_METHODS: Final[Mapping[str, Mapping[str, Sequence[str]]]] = {
    "misaki": {
        "POST v1/user": [f"{_USERS}/CreateUser"],
        "GET v1/user/all": [f"{_USERS}/ListUsers"],
        "DELETE v1/user": [f"{_USERS}/DeleteUser"],
        "POST v1/user/project": [f"{_PROJECTS}/CreateMember"],
        "DELETE v1/user/project": [f"{_PROJECTS}/DeleteMember"],
        "GET v1/user/project": [f"{_PROJECTS}/ListProjects"],
        "POST v1/project": [f"{_PROJECTS}/CreateProject"],
        "GET v1/project": [f"{_PROJECTS}/GetProject"],
        "GET v1/project/all": [f"{_PROJECTS}/ListProjects"],
        "DELETE v1/project": [f"{_PROJECTS}/DeleteProject"],
    },
    "kyouko": {
        "POST v1/cluster": [f"{_NETWORKS}/CreateNetwork"],
        "GET v1/cluster": [f"{_NETWORKS}/GetNetwork"],
        "GET v1/cluster/all": [f"{_NETWORKS}/ListNetworks"],
        "DELETE v1/cluster": [f"{_NETWORKS}/DeleteNetwork"],
        "POST v1/cluster/save": [f"{_NETWORKS}/SnapshotNetwork"],
        "PUT v1/cluster/set_mode": [
            f"{_LEARNING}/Learn",
            f"{_LEARNING}/OpenLearning",
            f"{_LEARNING}/SendLearning",
        ],
        "POST v1/template/upload": [f"{_TEMPLATES}/ParseTemplate"],
        "GET v1/template": [f"{_TEMPLATES}/GetTemplate"],
        "GET v1/template/all": [f"{_TEMPLATES}/ListTemplates"],
        "POST v1/task": [f"{_TASKS}/CreateTask"],
        "GET v1/task": [f"{_TASKS}/GetTask", f"{_TASKS}/WatchTask"],
        "GET v1/task/all": [f"{_TASKS}/ListTasks"],
        "DELETE v1/task": [f"{_TASKS}/CancelTask"],
    },
    "shiori": {
        "POST v1/mnist/data_set": [f"{_DATASETS}/UploadDataset"],
        "PUT v1/mnist/data_set": [f"{_DATASETS}/UploadDataset"],
        "POST v1/csv/data_set": [f"{_DATASETS}/UploadDataset"],
        "PUT v1/csv/data_set": [f"{_DATASETS}/UploadDataset"],
        "GET v1/data_set": [f"{_DATASETS}/GetDataset", f"{_DATASETS}/ReadDataset"],
        "GET v1/data_set/all": [f"{_DATASETS}/ListDatasets"],
        "DELETE v1/data_set": [f"{_DATASETS}/DeleteDataset"],
        "GET v1/audit_log": [f"{_AUDIT}/ListAuditEntries", f"{_AUDIT}/WatchAuditEntries"],
        "GET v1/error_log": [f"{_ERRORS}/ListErrorRecords", f"{_ERRORS}/GetErrorRecord"],
    },
    "azuki": {
        "GET v1/system_info": [f"{_MONITORING}/GetMachine"],
        "GET v1/power_consumption": [
            f"{_MONITORING}/GetMeasurements",
            f"{_MONITORING}/WatchMeasurements",
        ],
        "GET v1/speed": [f"{_MONITORING}/GetMeasurements", f"{_MONITORING}/WatchMeasurements"],
        "GET v1/temperature_production": [
            f"{_MONITORING}/GetMeasurements",
            f"{_MONITORING}/WatchMeasurements",
        ],
    },
}


@dataclass(frozen=True)
class Remark:
    """What was not taken over, with the number of its line; 0 for what is not in the file."""

    line: int
    text: str
    problem: str


@dataclass(frozen=True)
class Import:
    """The rules that a file asks for, and what of it could not be taken over."""

    rules: Rules
    remarks: Sequence[Remark]


@dataclass(frozen=True)
class _Grant:
    """One line with a verb: who may call what an endpoint became."""

    line: int
    text: str
    methods: Sequence[str]
    roles: frozenset[Role]


def read_prototype(content: str, catalogue: Catalogue) -> Import:
    """Return what a policy file of the prototype says of our methods.

    It takes away, and gives nothing that a contract does not give: the prototype kept some
    methods to admins whatever its file said.

    Raises:
        InvalidArgument: FIELD_INVALID: nothing in the file is known.
    """
    entries = list(_entries(content))
    grants = [entry for entry in entries if isinstance(entry, _Grant)]
    remarks = [entry for entry in entries if isinstance(entry, Remark)]
    if not grants:
        raise InvalidArgument.for_field("content", "names no endpoint that has a counterpart here")
    given: dict[str, frozenset[Role]] = {method: frozenset({Role.ADMIN}) for method in _all_known()}
    for grant in grants:
        for method in grant.methods:
            given[method] |= grant.roles
            remarks += _remarks_on(grant, catalogue.find(method))
    named = {method for grant in grants for method in grant.methods}
    remarks += [
        Remark(0, method, "is not in the file, and so left to admins")
        for method in sorted(given.keys() - named)
    ]
    return Import(_rules(given, catalogue), remarks)


def counterparts() -> frozenset[str]:
    """Return all methods that an endpoint of the prototype became."""
    return frozenset(_all_known())


def _all_known() -> Iterator[str]:
    for endpoints in _METHODS.values():
        for methods in endpoints.values():
            yield from (f"/{method}" for method in methods)


def _entries(content: str) -> Iterator[_Grant | Remark]:
    component, endpoint = "", ""
    for number, raw in enumerate(content.splitlines(), start=1):
        line = raw.strip()
        if found := _COMPONENT.fullmatch(line):
            component, endpoint = found[1].lower(), ""
        elif _ENDPOINT.fullmatch(line):
            endpoint = line
        elif found := _VERB.fullmatch(line):
            yield from _grant(number, line, f"{found[1]} {endpoint}", found[2], component)
        elif line:
            yield Remark(number, line, "is neither a component, an endpoint nor a verb")


def _grant(
    number: int, line: str, endpoint: str, roles: str, component: str
) -> Iterator[_Grant | Remark]:
    methods = _METHODS.get(component, {}).get(endpoint, ())
    if not methods:
        yield Remark(number, line, f"{endpoint} of {component or 'nothing'} has no counterpart")
        return
    names = [name.strip() for name in roles.split(",") if name.strip()]
    for name in names:
        if name not in _ROLES:
            yield Remark(number, line, f"there is no role {name}")
    known = frozenset[Role]().union(*(_ROLES[name] for name in names if name in _ROLES))
    yield _Grant(number, line, [f"/{method}" for method in methods], known)


def _remarks_on(grant: _Grant, contract: AccessRule) -> Iterable[Remark]:
    if Role.MEMBER in grant.roles and Role.MEMBER not in _most(contract):
        yield Remark(grant.line, grant.text, f"{contract.method} is not for members")


def _rules(given: Mapping[str, frozenset[Role]], catalogue: Catalogue) -> Rules:
    rules: dict[str, frozenset[Role]] = {}
    for method, roles in given.items():
        contract = catalogue.find(method)
        wanted = roles & _most(contract) & allowed_roles(contract)
        if allowed_roles(contract) and wanted != _most(contract) & allowed_roles(contract):
            rules[method] = wanted
    return rules


def _most(contract: AccessRule) -> frozenset[Role]:
    return PEOPLE if contract.any_principal else contract.roles
