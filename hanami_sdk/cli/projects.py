"""`hanami project`: places where people share networks and data sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hanami_sdk.cli import options
from hanami_sdk.cli.clients import open_client
from hanami_sdk.cli.output import print_json, print_message, print_messages
from hanami_sdk.cli.roles import WIRE_ROLES, Role, role_text

if TYPE_CHECKING:
    from hanami.misaki.v1.project_service_pb2 import Member, Project

app = typer.Typer(no_args_is_help=True, help="Places where people share networks and data sets.")
member_app = typer.Typer(no_args_is_help=True, help="Who works in a project, and as what.")
app.add_typer(member_app, name="member")

ProjectArgument = Annotated[str, typer.Argument(help="Id of the project.")]


@app.command()
def create(
    project: ProjectArgument,
    display_name: Annotated[str, typer.Option(help="The name that people read.")] = "",
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Create a project (administrators only).

    Example:
        hanami project create demo
    """
    with open_client(url) as client:
        made = client.projects.create(project, display_name=display_name)
    print_message(made, as_data=json, rows=_fields(made))


@app.command("list")
def list_projects(url: options.Url = None, json: options.Json = False) -> None:
    """List the projects that you work in; administrators see all.

    Example:
        hanami project list
    """
    with open_client(url) as client:
        projects = list(client.projects.list())
    rows = [(p.name, p.display_name, p.creator) for p in projects]
    print_messages(
        projects,
        as_data=json,
        columns=("PROJECT", "NAME", "CREATOR"),
        rows=rows,
        nothing="No projects. Make one: hanami project create NAME",
    )


@app.command()
def get(project: ProjectArgument, url: options.Url = None, json: options.Json = False) -> None:
    """Show one project.

    Example:
        hanami project get demo
    """
    with open_client(url) as client:
        found = client.projects.get(project)
    print_message(found, as_data=json, rows=_fields(found))


@app.command()
def update(
    project: ProjectArgument,
    display_name: Annotated[str, typer.Option(help="The name that people read.")],
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Change the name that people read of a project (its administrators).

    Example:
        hanami project update demo --display-name "The demo"
    """
    with open_client(url) as client:
        changed = client.projects.update(project, display_name=display_name)
    print_message(changed, as_data=json, rows=_fields(changed))


@app.command()
def delete(
    project: ProjectArgument,
    yes: options.Yes = False,
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Delete a project with its memberships, API keys and clients (administrators only).

    Its id is never used again. Administrators still reach its networks and data sets.

    Example:
        hanami project delete demo --yes
    """
    if not yes:
        typer.confirm(f"Delete the project {project}?", abort=True, err=True)
    with open_client(url) as client:
        client.projects.delete(project)
    if json:
        print_json({"deleted": project})
    else:
        print(f"Deleted {project}.")


@member_app.command("add")
def add_member(
    project: ProjectArgument,
    user: Annotated[str, typer.Argument(help="Id of the user.")],
    role: Annotated[Role, typer.Option(help="What the user may do.")] = Role.MEMBER,
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Give a user a role in a project (its administrators).

    It counts with the user's next token, within 15 minutes or after a login.

    Example:
        hanami project member add demo alice --role viewer
    """
    with open_client(url) as client:
        member = client.projects.add_member(project, user, WIRE_ROLES[role])
    print_message(member, as_data=json, rows=_member_fields(member))


@member_app.command("list")
def list_members(
    project: ProjectArgument, url: options.Url = None, json: options.Json = False
) -> None:
    """List the members of a project.

    Example:
        hanami project member list demo
    """
    with open_client(url) as client:
        members = list(client.projects.list_members(project))
    rows = [tuple(value for _, value in _member_fields(m)) for m in members]
    print_messages(
        members,
        as_data=json,
        columns=("USER", "ROLE"),
        rows=rows,
        nothing="No members. Add one: hanami project member add PROJECT USER",
    )


@member_app.command("update")
def update_member(
    project: ProjectArgument,
    user: Annotated[str, typer.Argument(help="Id of the user.")],
    role: Annotated[Role, typer.Option(help="What the user may do from now on.")],
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Give a member another role (the project's administrators). It counts at once.

    Example:
        hanami project member update demo alice --role project-admin
    """
    with open_client(url) as client:
        member = client.projects.update_member(project, user, WIRE_ROLES[role])
    print_message(member, as_data=json, rows=_member_fields(member))


@member_app.command("remove")
def remove_member(
    project: ProjectArgument,
    user: Annotated[str, typer.Argument(help="Id of the user.")],
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Take a user's role in a project away (its administrators). It counts at once.

    Example:
        hanami project member remove demo alice
    """
    with open_client(url) as client:
        client.projects.remove_member(project, user)
    if json:
        print_json({"removed": user, "project": project})
    else:
        print(f"Removed {user} from {project}.")


def _fields(project: Project) -> list[tuple[str, str]]:
    return [
        ("Project", project.name),
        ("Name", project.display_name),
        ("Creator", project.creator),
        ("Created", project.create_time.ToJsonString()),
    ]


def _member_fields(member: Member) -> list[tuple[str, str]]:
    return [("User", member.user), ("Role", role_text(member.role))]
