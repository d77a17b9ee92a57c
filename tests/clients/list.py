"""Lists a workspace with atlassian-python-api: what there is, as JSON, for a test to compare.

Usage: list.py ORIGIN WORKSPACE, with USER and TOKEN in the environment.
"""

import json
import os
import sys

from atlassian.bitbucket import Cloud
from requests import HTTPError


def pipelines(repository):
    """Its pipelines; none where they are switched off, which answers 404."""
    try:
        return list(repository.pipelines.each())
    except HTTPError as error:
        if error.response.status_code == 404:
            return []
        raise


origin, workspace = sys.argv[1:]
cloud = Cloud(url=origin, username=os.environ["USER"], password=os.environ["TOKEN"])
found = {
    "workspaces": [each.slug for each in cloud.workspaces.each()],
    "repositories": [],
    "pull_requests": [],
    "branches": [],
    "commits": [],
    "pipelines": [],
}
for repository in cloud.workspaces.get(workspace).repositories.each():
    slug = repository.slug
    found["repositories"].append(slug)
    # Without a state the list has the open ones.
    found["pull_requests"] += [f"{slug} {each.id}" for each in repository.pullrequests.each()]
    found["branches"] += [f"{slug} {each.name}" for each in repository.branches.each()]
    found["commits"] += [f"{slug} {each.hash}" for each in repository.commits.each()]
    found["pipelines"] += [f"{slug} {each.uuid}" for each in pipelines(repository)]
json.dump(found, sys.stdout)
