"""The MCP server of a project: tools over its lake and its runs, for assistants."""
