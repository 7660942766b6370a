"""users, audit: who may use a server, and who has done what."""

from typing import Annotated

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.completion import MANY
from mystocks_dagster.cli.history import Since, moment_of
from mystocks_dagster.cli.open_project import open_project
from mystocks_dagster.cli.printing import console, print_json
from mystocks_dagster.cli.tables import print_table
from mystocks_dagster.project.roles import Role
from mystocks_dagster.settings import Settings

Name = Annotated[str, typer.Argument(help="Name of the user.")]
TheRole = Annotated[
    Role,
    typer.Option(
        "--role",
        help="viewer: reads. operator: also starts, stops, switches. editor: also edits tasks.yaml, cleans up, and "
        "uses Dagster's own UI fully.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    users = typer.Typer(help="Users of the server, with roles. Example: mystocks users add li --role operator")
    users.callback(invoke_without_command=True)(default)
    users.command("list")(list_users)
    users.command("add")(add_user)
    users.command("role")(change_role)
    users.command("remove")(remove_user)
    app.add_typer(users, name="users")
    app.command()(audit)


def default(context: typer.Context, json: Json = False) -> None:
    """Users of the server: what each may do."""
    if context.invoked_subcommand is None:
        list_users(json=json)


def list_users(json: Json = False) -> None:
    """List the users with their roles; secrets are not stored.

    Example: mystocks users list
    """
    from mystocks_dagster.instance import open_tables
    from mystocks_dagster.project.users import read

    users = read(open_tables(Settings.from_env())).values()
    if json:
        print_json([{"name": user.name, "role": user.role, "since": user.since} for user in users])
    elif not users:
        console.print("There are no users: only the owner's MYSTOCKS_API_TOKEN opens the door. Add one with:")
        console.print("mystocks users add li --role viewer")
    else:
        print_table(("user", "role", "since"), [(user.name, str(user.role), user.since) for user in users])


def add_user(name: Name, role: TheRole = Role.VIEWER, json: Json = False) -> None:
    """Add a user, and print the secret once: the password of the pages, and the bearer token of REST.

    Example: mystocks users add li --role operator
    """
    from mystocks_dagster.project.users import add

    settings = Settings.from_env()
    secret = add(settings, name, role)
    if json:
        print_json({"name": name, "role": role, "secret": secret})
        return
    console.print(f"{name} ({role}) has been added. The secret is shown only now:\n\n{secret}\n", markup=False)
    if settings.api_token is None:
        console.print("[yellow]Set MYSTOCKS_API_TOKEN, the owner's token, before you start the server.[/]")


def change_role(name: Name, role: Annotated[Role, typer.Argument(help="The new role.")]) -> None:
    """Give a user another role; servers know of it within two seconds.

    Example: mystocks users role li editor
    """
    from mystocks_dagster.project.users import set_role

    set_role(Settings.from_env(), name, role)
    console.print(f"{name} is now: {role}", markup=False)


def remove_user(name: Name) -> None:
    """Remove a user; servers refuse the secret within two seconds.

    Example: mystocks users remove li
    """
    from mystocks_dagster.project.users import remove

    remove(Settings.from_env(), name)
    console.print(f"{name} has been removed.", markup=False)


def audit(
    limit: Annotated[int, typer.Option(min=1, max=MANY, help="Maximum number, newest first.")] = 50,
    user: Annotated[str | None, typer.Option(help="Only what this user has done.")] = None,
    since: Since = None,
    json: Json = False,
) -> None:
    """Show who has changed, started or stopped what: by command, page, REST, Python, or in Dagster's UI.

    Example: mystocks audit --since 7d --user li
    """
    found = open_project().audit(limit=limit, user=user, since=moment_of(since))
    if json:
        print_json([entry.to_json() for entry in found])
        return
    several = len({entry.machine for entry in found}) > 1
    rows = [
        (
            *(f"{entry.time:%Y-%m-%d %H:%M:%S}", entry.user, entry.via, entry.action, entry.target, entry.detail),
            *([entry.machine] if several else []),
        )
        for entry in found
    ]
    columns = ("time", "user", "via", "action", "target", "detail", *(["machine"] if several else []))
    print_table(columns, rows, optional=("detail", "via"))
