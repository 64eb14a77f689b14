// What every Node adapter shares: the lines of protocol version 1, and a policy as an application writes it down.
//
// An adapter's own file says how its library is used. It calls `serve` with a function that gets the terms of a policy and
// gives back a judge: `judge(token, now)` returns `{ header, claims, realm }` as the library gave them out, or a promise of
// that, or throws.

import http from 'node:http'

// The policy asks for something that neither the library nor an application on it has a setting for.
export class Skip extends Error {}

// What the application itself refuses, before or after the library's call.
export class Refused extends Error {}

// A policy as an application writes it down: one realm for each issuer, or one for all where keys are pooled. In a realm
// `null` means that nobody asks.
class Terms {
  constructor(fields) {
    Object.assign(this, fields)
  }

  // The realm of the issuer that the library's unverified view of the token shows. Where there is one only, the application has
  // nothing to choose, and the library compares the name.
  realmOf(issuer) {
    if (this.realms.length === 1) return this.realms[0]
    const realm = this.realms.find(one => one.issuers.includes(issuer))
    if (!realm) throw new Refused('the issuer is not trusted')
    return realm
  }

  // What is left to the application once the library is content: `typ`, the subject and the tenant.
  ownChecks({ header, claims, realm }) {
    if (this.tokenTypes?.length && !isType(header.typ, this.tokenTypes)) throw new Refused('another typ')
    if (realm.subjects && !realm.subjects.includes(claims.sub)) throw new Refused('another subject')
    const { claim, tenant } = this.tenants.get(claims.iss) ?? {}
    if (claim && claims[claim] !== tenant) throw new Refused('another tenant')
  }

  // For libraries that have no setting for required claims.
  require(claims) {
    for (const name of this.required) {
      if ([undefined, null, ''].includes(claims[name])) throw new Refused(`no ${name}`)
    }
  }

  // Who the application takes it to be: the library's own claims.
  identity(claims) {
    const { claim } = this.tenants.get(claims.iss) ?? {}
    const tenant = claim && { tid: claims[claim] }
    return { iss: claims.iss, sub: claims.sub, aud: claims.aud, ...tenant }
  }
}

// RFC 7515 section 4.1.9: compared without regard to case, and `application/` may be left out.
function isType(typ, permitted) {
  const short = name => name.toLowerCase().replace(/^application\//, '')
  return typeof typ === 'string' && permitted.map(short).includes(short(typ))
}

function narrowed(everyone, own) {
  if (!everyone || !own) return own ?? everyone ?? null
  return own.filter(name => everyone.includes(name))
}

const union = lists => [...new Set(lists.flat())]

function termsOf(policy, knownAlgorithms, pooled, remote) {
  const source = policy.key_source
  if ((source === 'fetched') !== remote) throw new Skip(remote ? 'only keys that it fetches' : 'it fetches no keys')
  if (source === 'converged' && !pooled) throw new Skip('a key set for each issuer only')
  if (String(policy.serializations ?? 'compact') !== 'compact') throw new Skip('only the compact serialization')
  if (policy.replay === 'refuse') throw new Skip('no replay store')
  if (policy.crit_understood?.length) throw new Skip('it understands no extension of the header')
  // Whoever pools the keys of all issuers asks nothing further of a key.
  if (policy.enforce_key_lifetime && !pooled) throw new Skip('no setting for the lifetime of a key')
  if (policy.cloud_instance !== undefined && !pooled) throw new Skip('no setting for the cloud of a key')

  const tenants = new Map()
  let realms = policy.issuers.map(issuer => {
    if (issuer.signer !== undefined) throw new Skip('no setting for the header member signer')
    const algorithms = narrowed(policy.algorithms, issuer.algorithms)
    return {
      issuers: names(policy, issuer, tenants),
      keys: [...(issuer.jwks?.keys ?? []), ...(issuer.secrets?.keys ?? [])],
      algorithms: knownAlgorithms.filter(name => !algorithms || algorithms.includes(name)),
      audiences: narrowed(policy.audiences, issuer.audiences),
      subjects: issuer.subjects ?? null,
      jwksUri: issuer.jwks_uri,
    }
  })
  if (pooled) realms = [pool(realms, policy.converged_jwks?.keys ?? [])]
  return new Terms({
    realms,
    tenants,
    required: policy.required_claims ?? [],
    leeway: policy.leeway ?? 0,
    tokenTypes: policy.token_types,
    jwksMaxAge: policy.jwks_max_age,
    resolver: policy.resolver,
  })
}

// Libraries compare whole names, so a template becomes one name for each tenant; a literal name wins over it.
function names(policy, issuer, tenants) {
  if (!issuer.issuer.includes('{tenantid}')) return [issuer.issuer]
  if (!issuer.tenants) throw new Skip('no issuer templates without a list of tenants')
  const all = issuer.tenants.map(tenant => [issuer.issuer.replace('{tenantid}', () => tenant), tenant])
  const own = all.filter(([name]) => !policy.issuers.some(other => other.issuer === name))
  for (const [name, tenant] of own) tenants.set(name, { claim: issuer.tenant_claim ?? 'tid', tenant })
  return own.map(([name]) => name)
}

// One realm of everything that any issuer may do: the mistake that a pooled adapter is there to show.
function pool(realms, converged) {
  if (new Set(realms.map(realm => JSON.stringify(realm.subjects))).size > 1) {
    throw new Skip('the same subjects for all issuers only')
  }
  const audiences = realms.map(realm => realm.audiences)
  return {
    issuers: union(realms.map(realm => realm.issuers)),
    keys: [...realms.flatMap(realm => realm.keys), ...converged],
    algorithms: union(realms.map(realm => realm.algorithms)),
    audiences: audiences.includes(null) ? null : union(audiences),
    subjects: realms[0]?.subjects ?? null,
  }
}

// What fetches a URL from where every host name leads: the name that was asked for stays in the request.
export const fetchFrom = resolver => url =>
  new Promise((resolve, reject) => {
    const { host, pathname, search } = new URL(url)
    const answered = response => {
      const parts = []
      response.on('data', part => parts.push(part)).on('error', reject)
      response.on('end', () => resolve(new Response(Buffer.concat(parts), { status: response.statusCode })))
    }
    http.get(new URL(pathname + search, resolver), { headers: { host } }, answered).on('error', reject)
  })

// Answers until standard input ends. `--pooled` puts the keys of all issuers into one set; `--remote` has the library fetch
// them, and remember them by the machine's clock.
export function serve({ name, version, algorithms, settle, clock = 'system', fetches = false }) {
  const [flag, ...others] = process.argv.slice(2)
  if (others.length || ![undefined, '--pooled', ...(fetches ? ['--remote'] : [])].includes(flag)) {
    console.error(`usage: node ADAPTER.mjs [--pooled${fetches ? '|--remote' : ''}]`)
    process.exit(2)
  }
  const [pooled, remote] = [flag === '--pooled', flag === '--remote']
  let terms, judge

  const answers = {
    hello: () => ({
      hello: {
        protocol: 1,
        name: flag ? `${name}${flag.slice(1)}` : name,
        version,
        clock: remote ? 'system' : clock,
        key_sources: remote ? ['fetched'] : pooled ? ['per-issuer', 'converged'] : ['per-issuer'],
        features: ['live-update', 'issuer-templates', 'identity', 'large', ...(remote ? ['fetches-jwks'] : [])],
        algorithms,
      },
    }),

    // The application reads its configuration anew; neither it nor the library remembers anything of the former one.
    configure: async request => {
      try {
        judge = undefined
        terms = termsOf(request.policy, algorithms, pooled, remote)
        judge = await settle(terms)
        return { id: request.id, ok: true }
      } catch (error) {
        return { id: request.id, [error instanceof Skip ? 'skip' : 'error']: error.message }
      }
    },

    validate: async ({ id, now, token, token_b64 }) => {
      // A header that is no UTF-8 reaches a Node service octet by octet.
      token ??= Buffer.from(token_b64, 'base64').toString('latin1')
      try {
        const verified = await judge(token, now)
        terms.ownChecks(verified)
        return { id, accept: terms.identity(verified.claims) }
      } catch (error) {
        // Whatever escapes a library ends as a refused request in a service.
        return { id, reject: String(error).slice(0, 300) }
      }
    },
  }

  let rest = []
  process.stdin.on('data', async chunk => {
    const lines = []
    let from = 0
    for (let end; (end = chunk.indexOf(10, from)) >= 0; from = end + 1) {
      lines.push(Buffer.concat([...rest, chunk.subarray(from, end)]))
      rest = []
    }
    rest.push(chunk.subarray(from))
    const answered = await Promise.all(lines.map(line => answer(line)))
    const text = answered.filter(Boolean).map(one => JSON.stringify(one) + '\n').join('')
    if (text) process.stdout.write(text)
  })

  async function answer(line) {
    try {
      const [[kind, request]] = Object.entries(JSON.parse(line))
      return await answers[kind](request)
    } catch (error) {
      console.error(`cannot read ${JSON.stringify(line.toString().slice(0, 200))}: ${error}`)
    }
  }
}
