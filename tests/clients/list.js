// Lists a workspace with npm's bitbucket: what there is, as JSON, for a test to compare.
//
// Usage: list.js ORIGIN WORKSPACE, with USER and TOKEN in the environment.

const { Bitbucket } = require('bitbucket')

const [origin, workspace] = process.argv.slice(2)
const bitbucket = new Bitbucket({
  baseUrl: `${origin}/2.0`,
  auth: { username: process.env.USER, password: process.env.TOKEN },
  notice: false,
})

// Every row of a list, whose pages lead to each other.
async function all(list, parameters) {
  let { data } = await list({ workspace, ...parameters })
  const rows = [...data.values]
  while (bitbucket.hasNextPage(data)) {
    data = (await bitbucket.getNextPage(data)).data
    rows.push(...data.values)
  }
  return rows
}

// Its own `pipelines.list` leaves out the slash at the end, without which the service answers 404, as it does where
// pipelines are switched off.
function pipelines(parameters) {
  const none = { data: { values: [] } }
  const url = '/repositories/{workspace}/{repo_slug}/pipelines/'
  return bitbucket.request({ method: 'GET', url, ...parameters }).catch((error) => {
    if (error.status === 404) return none
    throw error
  })
}

async function main() {
  const found = { repositories: [], pull_requests: [], branches: [], commits: [], pipelines: [] }
  for (const { slug } of await all(bitbucket.repositories.list)) {
    const of = async (list, name, parameters) =>
      (await all(list, { repo_slug: slug, ...parameters })).map((row) => `${slug} ${row[name]}`)
    found.repositories.push(slug)
    for (const state of ['OPEN', 'MERGED', 'DECLINED', 'SUPERSEDED']) {
      found.pull_requests.push(...(await of(bitbucket.repositories.listPullRequests, 'id', { state, pagelen: 50 })))
    }
    found.branches.push(...(await of(bitbucket.repositories.listBranches, 'name')))
    found.commits.push(...(await of(bitbucket.repositories.listCommits, 'hash')))
    found.pipelines.push(...(await of(pipelines, 'uuid')))
  }
  console.log(JSON.stringify(found))
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
