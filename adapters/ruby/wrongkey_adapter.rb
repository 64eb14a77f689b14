# What every Ruby adapter shares: the lines of protocol version 1, and a policy as an application writes it down.
#
# An adapter's own file says how its library is used. It calls `serve` with a lambda that gets the terms of a policy and gives
# back a judge: `judge.(token)` returns `[header, claims, realm]` as the library gave them out, or raises.

require 'base64'
require 'json'

# The policy asks for something that neither the library nor an application on it has a setting for.
class Skip < StandardError; end

# What the application itself refuses, before or after the library's call.
class Refused < StandardError; end

# Issuers and keys that are trusted together, and what they may sign. Audiences and subjects: `nil` where nobody asks.
Realm = Struct.new(:issuers, :keys, :algorithms, :audiences, :subjects, keyword_init: true)

# A policy as an application writes it down: one realm for each issuer, or one for all where keys are pooled. `tenants` has the
# claim and the tenant of each issuer name that came from a template.
Terms = Struct.new(:realms, :required, :leeway, :token_types, :tenants, keyword_init: true) do
  # The realm of the issuer that the library's unverified view of the token shows.
  def realm_of(issuer)
    realms.find { |realm| realm.issuers.include?(issuer) } or raise Refused, 'the issuer is not trusted'
  end

  # What is left to the application once the library is content: `typ`, the subject and the tenant.
  def own_checks(header, claims, realm)
    raise Refused, 'another typ' if token_types&.any? && token_types.none? { |type| short(type) == short(header['typ']) }
    raise Refused, 'another subject' unless realm.subjects.nil? || realm.subjects.include?(claims['sub'])

    claim, tenant = tenants[claims['iss']]
    raise Refused, 'another tenant' if claim && claims[claim] != tenant
  end

  # Who the application takes it to be: the library's own claims.
  def identity(claims)
    claim, = tenants[claims['iss']]
    who = { iss: claims['iss'], sub: claims['sub'], aud: claims['aud'], tid: claim && claims[claim] }
    who.compact
  end

  private

  # RFC 7515 section 4.1.9: compared without regard to case, and `application/` may be left out.
  def short(type)
    type.to_s.downcase.delete_prefix('application/')
  end
end

def narrowed(everyone, own)
  everyone && own ? own & everyone : everyone || own
end

def terms_of(policy, known, pooled)
  raise Skip, 'it fetches no keys' if policy['key_source'] == 'fetched'
  raise Skip, 'a key set for each issuer only' if policy['key_source'] == 'converged' && !pooled
  raise Skip, 'only the compact serialization' unless [nil, ['compact']].include?(policy['serializations'])
  raise Skip, 'no replay store' if policy['replay'] == 'refuse'
  raise Skip, 'it understands no extension of the header' if policy['crit_understood']&.any?
  # Whoever pools the keys of all issuers asks nothing further of a key.
  raise Skip, 'no setting for the lifetime of a key' if policy['enforce_key_lifetime'] && !pooled
  raise Skip, 'no setting for the cloud of a key' if policy.key?('cloud_instance') && !pooled

  tenants = {}
  realms = policy['issuers'].map do |issuer|
    raise Skip, 'no setting for the header member signer' if issuer.key?('signer')

    allowed = narrowed(policy['algorithms'], issuer['algorithms'])
    Realm.new(
      issuers: names_of(policy, issuer, tenants),
      keys: (issuer.dig('jwks', 'keys') || []) + (issuer.dig('secrets', 'keys') || []),
      algorithms: allowed ? known & allowed : known, audiences: narrowed(policy['audiences'], issuer['audiences']),
      subjects: issuer['subjects']
    )
  end
  realms = [pool(realms, policy.dig('converged_jwks', 'keys') || [])] if pooled
  Terms.new(
    realms: realms, required: policy['required_claims'] || [], leeway: policy['leeway'] || 0,
    token_types: policy['token_types'], tenants: tenants
  )
end

# Libraries compare whole names, so a template becomes one name for each tenant; a literal name wins over it.
def names_of(policy, issuer, tenants)
  return [issuer['issuer']] unless issuer['issuer'].include?('{tenantid}')
  raise Skip, 'no issuer templates without a list of tenants' unless issuer['tenants']

  by_name = issuer['tenants'].to_h { |tenant| [issuer['issuer'].sub('{tenantid}') { tenant }, tenant] }
  literal = policy['issuers'].map { |other| other['issuer'] }
  by_name.reject! { |name, _| literal.include?(name) }
  by_name.each { |name, tenant| tenants[name] = [issuer['tenant_claim'] || 'tid', tenant] }
  by_name.keys
end

# One realm of everything that any issuer may do: the mistake that a pooled adapter is there to show.
def pool(realms, converged)
  raise Skip, 'the same subjects for all issuers only' if realms.map(&:subjects).uniq.size > 1

  Realm.new(
    issuers: realms.flat_map(&:issuers).uniq, keys: realms.flat_map(&:keys) + converged,
    algorithms: realms.flat_map(&:algorithms).uniq, subjects: realms.first&.subjects,
    audiences: realms.any? { |realm| realm.audiences.nil? } ? nil : realms.flat_map(&:audiences).uniq
  )
end

# Answers until standard input ends. `--pooled` puts the keys of all issuers into one set.
def serve(name, version, algorithms, settle)
  abort "usage: ruby #{$PROGRAM_NAME} [--pooled]" unless [[], ['--pooled']].include?(ARGV)
  pooled = ARGV == ['--pooled']
  terms = judge = nil

  hello = lambda do |_|
    { hello: {
      protocol: 1, name: pooled ? "#{name}-pooled" : name, version: version, clock: 'system',
      key_sources: pooled ? %w[per-issuer converged] : %w[per-issuer],
      features: %w[live-update issuer-templates identity large], algorithms: algorithms
    } }
  end

  # The application reads its configuration anew; neither it nor the library remembers anything of the former one.
  configure = lambda do |request|
    terms = judge = nil
    terms = terms_of(request['policy'], algorithms, pooled)
    judge = settle.call(terms)
    { id: request['id'], ok: true }
  rescue Skip => e
    { id: request['id'], skip: e.message }
  rescue StandardError => e
    { id: request['id'], error: e.full_message(highlight: false) }
  end

  validate = lambda do |request|
    token = request['token'] || Base64.decode64(request['token_b64'])
    header, claims, realm = judge.call(token)
    terms.own_checks(header, claims, realm)
    { id: request['id'], accept: terms.identity(claims) }
  rescue StandardError, SystemStackError => e # whatever escapes a library ends as a refused request in a service
    { id: request['id'], reject: "#{e.class}: #{e.message}"[0, 300] }
  end

  answers = { 'hello' => hello, 'configure' => configure, 'validate' => validate }
  $stdout.sync = true
  $stdin.each_line("\n") do |line|
    kind, request = JSON.parse(line).first
    $stdout.write(JSON.generate(answers.fetch(kind).call(request)) << "\n")
  rescue StandardError => e
    warn "cannot read #{line[0, 200].inspect}: #{e.message}"
  end
end
