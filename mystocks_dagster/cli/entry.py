"""What the `mystocks` script calls: Ctrl-C ends a command without a traceback, also while Python still imports it."""

import signal


def main() -> None:
    """Run the command line. Until its modules are imported, Ctrl-C ends the process as that signal does by itself."""
    handled = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # a shell may have it ignored
    if handled:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from mystocks_dagster.cli.main import main, register_all

    register_all()
    if handled:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    main()


if __name__ == "__main__":
    main()
