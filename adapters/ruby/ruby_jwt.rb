# ruby-jwt, as its documentation teaches: `JWT.decode` with a block that finds the key, and everything else as options.
# `JWT.decode` without verification shows the issuer, to choose whose keys and rules to verify by.

require 'jwt'
require_relative 'wrongkey_adapter'

ALGORITHMS = %w[HS256 HS384 HS512 RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512].freeze
FAMILIES = { 'oct' => /\AHS/, 'RSA' => /\A[RP]S/, 'P-256' => /\AES256\z/, 'P-384' => /\AES384\z/, 'P-521' => /\AES512\z/ }.freeze

# The key as the library takes it. An EC key is put together here: the library's own import fails where OpenSSL is of version 3.
def import(jwk)
  return Base64.urlsafe_decode64(jwk['k']) if jwk['kty'] == 'oct'
  return JWT::JWK.import(jwk.transform_keys(&:to_sym)).keypair if jwk['kty'] == 'RSA'

  curve = { 'P-256' => 'prime256v1', 'P-384' => 'secp384r1', 'P-521' => 'secp521r1' }.fetch(jwk['crv'])
  point = "\x04".b + Base64.urlsafe_decode64(jwk['x']) + Base64.urlsafe_decode64(jwk['y'])
  algorithm = OpenSSL::ASN1::Sequence([OpenSSL::ASN1::ObjectId('id-ecPublicKey'), OpenSSL::ASN1::ObjectId(curve)])
  OpenSSL::PKey.read(OpenSSL::ASN1::Sequence([algorithm, OpenSSL::ASN1::BitString(point)]).to_der)
end

def keys_of(realm)
  realm.keys.each_with_object({}) do |jwk, keys|
    next unless [nil, 'sig'].include?(jwk['use'])

    family = FAMILIES.fetch(jwk['crv'] || jwk['kty'])
    algorithms = realm.algorithms.select { |name| [nil, name].include?(jwk['alg']) && family.match?(name) }
    keys[jwk['kid']] ||= [import(jwk), algorithms]
  rescue StandardError
    next # a key that the library cannot use
  end
end

settle = lambda do |terms|
  keys = terms.realms.to_h { |realm| [realm, keys_of(realm)] }.compare_by_identity
  lambda do |token|
    unverified, = JWT.decode(token, nil, false)
    realm = terms.realm_of(unverified['iss'])
    allowed = []
    options = {
      algorithms: realm.algorithms, iss: realm.issuers, verify_iss: true, leeway: terms.leeway,
      aud: realm.audiences, verify_aud: !realm.audiences.nil? && !realm.audiences.empty?, required_claims: terms.required
    }
    claims, header = JWT.decode(token, nil, true, options) do |unverified_header|
      key, allowed = keys[realm][unverified_header['kid']]
      raise Refused, 'no key of that kid' unless key && allowed.include?(unverified_header['alg'])

      key
    end
    raise Refused, 'it is for somebody' if realm.audiences == [] && claims.key?('aud')

    [header, claims, realm]
  end
end

serve('ruby-jwt', JWT::VERSION::STRING, ALGORITHMS, settle)
