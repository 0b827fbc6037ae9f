"""The rules of kyouko: templates, networks, tasks and streams. No wire, no database."""
