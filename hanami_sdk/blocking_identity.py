"""The blocking faces of what concerns people, devices and programs."""

from __future__ import annotations

from hanami_sdk.areas import (
    api_keys,
    clients,
    policies,
    projects,
    providers,
    quotas,
    sessions,
    signing_keys,
    users,
)
from hanami_sdk.blocking import Face, blocking, blocking_iterator


class Users(Face[users.Users]):
    """Creates, reads, changes and deletes users; others than oneself need an admin."""

    create = blocking(users.Users.create)
    get = blocking(users.Users.get)
    list = blocking_iterator(users.Users.list)
    update = blocking(users.Users.update)
    disable = blocking(users.Users.disable)
    enable = blocking(users.Users.enable)
    change_password = blocking(users.Users.change_password)
    reset_password = blocking(users.Users.reset_password)
    delete = blocking(users.Users.delete)


class Projects(Face[projects.Projects]):
    """Creates, reads, changes and deletes projects and their members."""

    create = blocking(projects.Projects.create)
    get = blocking(projects.Projects.get)
    list = blocking_iterator(projects.Projects.list)
    update = blocking(projects.Projects.update)
    delete = blocking(projects.Projects.delete)
    add_member = blocking(projects.Projects.add_member)
    list_members = blocking_iterator(projects.Projects.list_members)
    update_member = blocking(projects.Projects.update_member)
    remove_member = blocking(projects.Projects.remove_member)


class Sessions(Face[sessions.Sessions]):
    """Lists and ends logins: one's own, and those of all users for admins."""

    list = blocking_iterator(sessions.Sessions.list)
    revoke = blocking(sessions.Sessions.revoke)
    revoke_token = blocking(sessions.Sessions.revoke_token)


class ApiKeys(Face[api_keys.ApiKeys]):
    """Creates, reads and deletes keys of devices; for project admins."""

    create = blocking(api_keys.ApiKeys.create)
    get = blocking(api_keys.ApiKeys.get)
    list = blocking_iterator(api_keys.ApiKeys.list)
    delete = blocking(api_keys.ApiKeys.delete)


class Clients(Face[clients.Clients]):
    """Creates, reads and deletes clients of programs; for project admins."""

    create = blocking(clients.Clients.create)
    get = blocking(clients.Clients.get)
    list = blocking_iterator(clients.Clients.list)
    delete = blocking(clients.Clients.delete)


class Providers(Face[providers.Providers]):
    """Lists login providers, and logs in with their accounts. Needs no login."""

    list = blocking_iterator(providers.Providers.list)
    start = blocking(providers.Providers.start)
    finish = blocking(providers.Providers.finish)


class Policies(Face[policies.Policies]):
    """Reads, tests and changes the policy; for admins. Every change is a new version."""

    get = blocking(policies.Policies.get)
    list = blocking_iterator(policies.Policies.list)
    methods = blocking_iterator(policies.Policies.methods)
    update = blocking(policies.Policies.update)
    rollback = blocking(policies.Policies.rollback)
    test = blocking(policies.Policies.test)
    import_prototype = blocking(policies.Policies.import_prototype)


class SigningKeys(Face[signing_keys.SigningKeys]):
    """Lists and rotates the keys that sign tokens; for admins."""

    list = blocking_iterator(signing_keys.SigningKeys.list)
    rotate = blocking(signing_keys.SigningKeys.rotate)


class Quotas(Face[quotas.Quotas]):
    """Reads limits and usage; changes limits, as far as the user may."""

    get = blocking(quotas.Quotas.get)
    get_user = blocking(quotas.Quotas.get_user)
    update = blocking(quotas.Quotas.update)
    update_user = blocking(quotas.Quotas.update_user)
    usage = blocking(quotas.Quotas.usage)
    user_usage = blocking(quotas.Quotas.user_usage)
